"""Health, version, OpenAPI and discovery: how clients learn what the API serves. Pure."""

from typing import Any

import msgspec

from sparktest.devcluster import openapi
from sparktest.devcluster.kinds import Kind
from sparktest.devcluster.requests import Request, Response, json_response

Document = dict[str, Any]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# kubectl shows them in this order.
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
SUB_VERBS = {"log": ["get"], "finalize": ["update"], "status": ["get", "patch", "update"]}


def describe(request: Request, kinds: list[Kind]) -> Response | None:
    """Return the response for a path that describes the API; None for any other path."""
    steps, accept = request.path.strip("/").split("/"), request.headers.get("accept", "")
    if steps[0] in ("healthz", "livez", "readyz"):
        return Response(b"ok", media_type="text/plain")
    if steps == ["openapi", "v2"] and OPENAPI_PROTOBUF in accept:
        # An empty document is valid too: kubectl then leaves validation to the server.
        return Response(media_type=OPENAPI_PROTOBUF.replace("@", "."))
    if steps in (["api"], ["apis"]) and "as=APIGroupDiscoveryList" in accept and "v=v2" in accept:
        document = _aggregated([""] if steps == ["api"] else _groups(kinds), kinds)
        return Response(msgspec.json.encode(document), media_type=AGGREGATED)
    plain = _openapi(steps[1:], kinds) if steps[0] == "openapi" else _discovery(steps, kinds)
    return json_response(plain) if plain else None


def _openapi(steps: list[str], kinds: list[Kind]) -> Document | None:
    match steps:
        case ["v2"]:
            return openapi.v2(kinds)
        case ["v3"]:
            return openapi.index(kinds)
        case ["v3", *path]:
            return openapi.document("/".join(path), kinds)
    return None


def _discovery(steps: list[str], kinds: list[Kind]) -> Document | None:
    match steps:
        case ["version"]:
            return openapi.VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            listed = [_group(group, kinds) for group in _groups(kinds)]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["apis", group] if group in _groups(kinds):
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, kinds)}
        case ["api", version]:
            return _resources("", version, kinds)
        case ["apis", group, version]:
            return _resources(group, version, kinds)
    return None


def _groups(kinds: list[Kind]) -> list[str]:
    return list(dict.fromkeys(kind.group for kind in kinds if kind.group))


def _group(name: str, kinds: list[Kind]) -> Document:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in _versions(name, kinds)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _versions(group: str, kinds: list[Kind]) -> list[str]:
    """Return the versions of a group, the preferred one first."""
    versions = dict.fromkeys(kind.version for kind in kinds if kind.group == group)
    stored = {kind.storage_version for kind in kinds if kind.group == group}
    return sorted(versions, key=lambda version: version not in stored)


def _served(group: str, version: str, kinds: list[Kind]) -> list[Kind]:
    return [kind for kind in kinds if (kind.group, kind.version) == (group, version)]


def _resources(group: str, version: str, kinds: list[Kind]) -> Document | None:
    """Return the APIResourceList of a version of a group; None if it has no resources."""
    entries: list[Document] = []
    for kind in _served(group, version, kinds):
        common = {"namespaced": kind.namespaced, "kind": kind.kind}
        own = {"name": kind.plural, "singularName": kind.singular}
        entries.append(own | common | _verbs_and_names(kind))
        for name in kind.subresources:
            sub = {"name": f"{kind.plural}/{name}", "singularName": "", "verbs": SUB_VERBS[name]}
            entries.append(sub | common)
    if not entries:
        return None
    head = {"kind": "APIResourceList", "groupVersion": version}
    if group:  # a real API server names no apiVersion for the core group
        head |= {"apiVersion": "v1", "groupVersion": f"{group}/{version}"}
    return {**head, "resources": entries}


def _verbs_and_names(kind: Kind) -> Document:
    found: Document = {"verbs": CUSTOM_VERBS if kind.custom else sorted(kind.verbs)}
    if kind.short_names:
        found["shortNames"] = kind.short_names
    if kind.categories:
        found["categories"] = kind.categories
    return found


def _aggregated(groups: list[str], kinds: list[Kind]) -> Document:
    items = []
    for group in groups:
        versions = [
            {
                "version": version,
                "resources": [
                    _aggregated_resource(kind) for kind in _served(group, version, kinds)
                ],
                "freshness": "Current",
            }
            for version in _versions(group, kinds)
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_resource(kind: Kind) -> Document:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    return {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "subresources": [
            {"subresource": name, "responseKind": response, "verbs": SUB_VERBS[name]}
            for name in kind.subresources
        ],
    } | _verbs_and_names(kind)
