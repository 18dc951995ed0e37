"""OpenAPI documents with the parts that `kubectl apply` and `kubectl explain` need. Pure."""

import hashlib
from typing import Any

from sparktest.devcluster.kinds import Kind

Document = dict[str, Any]
VERSION: Document = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.0-sparktest",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
INFO = {"title": "SparkTest dev cluster", "version": VERSION["gitVersion"]}
STRICT = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
DRY_RUN = {"name": "dryRun", "in": "query", "schema": {"type": "string"}}


def index(kinds: list[Kind]) -> Document:
    """Return the answer of /openapi/v3: the path of a document for each group and version."""
    paths = {}
    for path in dict.fromkeys(_path(kind) for kind in kinds):
        schemas = [str(kind.schema) for kind in kinds if _path(kind) == path]
        digest = hashlib.sha256("".join(schemas).encode()).hexdigest()[:32]
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(path: str, kinds: list[Kind]) -> Document | None:
    """Return the OpenAPI 3 document of a group and version; None if there is no such version."""
    here = [kind for kind in kinds if _path(kind) == path]
    if not here:
        return None
    paths: Document = {}
    for kind in here:
        paths |= _paths(kind)
    return {
        "openapi": "3.0.0",
        "info": INFO,
        "paths": paths,
        "components": {"schemas": {_name(kind): _schema(kind) for kind in here}},
    }


def v2(kinds: list[Kind]) -> Document:
    """Return the answer of /openapi/v2, for older clients."""
    definitions = {_name(kind): _schema(kind) for kind in kinds}
    return {"swagger": "2.0", "info": INFO, "paths": {}, "definitions": definitions}


def _path(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _name(kind: Kind) -> str:
    parts = [*reversed((kind.group or "core.k8s.io").split(".")), kind.version, kind.kind]
    return ".".join(parts)


def _gvk(kind: Kind) -> Document:
    return {"group": kind.group, "kind": kind.kind, "version": kind.version}


def _schema(kind: Kind) -> Document:
    return {**kind.schema, "x-kubernetes-group-version-kind": [_gvk(kind)]}


def _paths(kind: Kind) -> Document:
    """Return the operations that kubectl looks for.

    `explain` finds the kind of a resource in them; `apply` and `diff` find out whether the server
    validates fields and has a dry run.
    """
    operation = {
        "x-kubernetes-group-version-kind": _gvk(kind),
        "parameters": [STRICT, DRY_RUN],
        "responses": {"200": {"description": "OK"}},
    }
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    path = f"/{_path(kind)}{scope}/{kind.plural}/{{name}}"
    return {path: {"get": operation, "patch": operation}}
