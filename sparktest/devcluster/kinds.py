"""The kinds that the dev cluster serves: the built-in ones and those of CRDs."""

from functools import cached_property
from importlib.resources import files
from typing import Any, cast

import msgspec
import yaml

from sparktest.devcluster.api_errors import Cause, NoRouteError, cause
from sparktest.devcluster.schemas import Schema
from sparktest.merge_patch import merge_patch

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


class Column(msgspec.Struct, frozen=True, rename="camel"):
    """A printer column; one with a `priority` above 0 appears only with -o wide."""

    name: str
    type: str
    json_path: str = ""
    format: str = ""
    description: str = ""
    priority: int = 0


class Kind(msgspec.Struct, frozen=True, kw_only=True, rename="camel", dict=True):
    """One kind in one version.

    `fields` are the fields that a field selector may name, besides name and namespace;
    `immutable` are the fields of the spec that cannot be changed.
    """

    group: str = ""
    version: str
    plural: str
    kind: str
    namespaced: bool
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    generation: bool = False
    custom: bool = False
    storage_version: str = ""
    columns: tuple[Column, ...] = ()
    schema: dict[str, Any] = msgspec.field(default_factory=dict)

    @cached_property
    def compiled_schema(self) -> Schema:
        """The compiled schema.

        Raises:
            ValueError: a schema or a validation rule does not compile.
        """
        return Schema(self.schema)

    @property
    def key(self) -> str:
        """The key of this kind in the store, the same for all versions."""
        return f"{self.group}/{self.plural}"

    @property
    def api_version(self) -> str:
        """`batch/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def stored_as(self) -> str:
        """The apiVersion that stored objects carry."""
        version = self.storage_version or self.version
        return f"{self.group}/{version}" if self.group else version


class Kinds:
    """The table of all kinds. Readers need no lock: a change replaces the whole table."""

    def __init__(self) -> None:
        self._table = {(kind.group, kind.version, kind.plural): kind for kind in BUILT_IN}

    def find(self, group: str, version: str, plural: str) -> Kind:
        """Return the kind of a path.

        Raises:
            NoRouteError: there is no such kind.
        """
        kind = self._table.get((group, version, plural))
        if kind is None:
            raise NoRouteError
        return kind

    def all(self) -> list[Kind]:
        """Return every kind in every version, the built-in ones first."""
        return list(self._table.values())

    def stored(self) -> list[Kind]:
        """Return every kind in one version."""
        return list({kind.key: kind for kind in self._table.values()}.values())

    def by_key(self, key: str) -> Kind | None:
        """Return any version of the kind with this key, or None."""
        return next((kind for kind in self._table.values() if kind.key == key), None)

    def put(self, crd: dict[str, Any]) -> None:
        """Add the kinds of a CRD, in place of its earlier ones."""
        key = _crd_key(crd)
        others = {path: kind for path, kind in self._table.items() if kind.key != key}
        served = {(kind.group, kind.version, kind.plural): kind for kind in kinds_of(crd)}
        self._table = others | served

    def drop(self, crd: dict[str, Any]) -> None:
        """Remove the kinds of a CRD."""
        key = _crd_key(crd)
        self._table = {path: kind for path, kind in self._table.items() if kind.key != key}


def _crd_key(crd: dict[str, Any]) -> str:
    return f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"


def kinds_of(crd: dict[str, Any]) -> list[Kind]:
    """Return the served versions of a CRD."""
    spec = crd["spec"]
    common = {
        "group": spec["group"],
        "namespaced": spec["scope"] == "Namespaced",
        "generation": True,
        "custom": True,
        "storageVersion": next(each["name"] for each in spec["versions"] if each["storage"]),
    } | {key: value for key, value in spec["names"].items() if value}
    return [
        _kind(common | _version_fields(version))
        for version in spec["versions"]
        if version.get("served")
    ]


def _version_fields(version: dict[str, Any]) -> dict[str, Any]:
    selectable = version.get("selectableFields") or ()
    return {
        "version": version["name"],
        "subresources": [key for key in version.get("subresources") or () if key == "status"],
        "fields": [field["jsonPath"].lstrip(".") for field in selectable],
        "columns": version.get("additionalPrinterColumns") or [AGE],
        "schema": (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"},
    }


def _kind(document: dict[str, Any]) -> Kind:
    """Return a kind, with the fields in its schema that every kind has."""
    kind = document["kind"]
    defaults = {"singular": kind.lower(), "listKind": f"{kind}List", "columns": [AGE]}
    schema = merge_patch(document["schema"], _DOCUMENT["everyKind"])
    return msgspec.convert(defaults | document | {"schema": schema}, Kind)


def crd_causes(crd: dict[str, Any]) -> list[Cause]:
    """Return the errors of a CRD that its own schema does not find."""
    spec = crd["spec"]
    name = f"{spec['names']['plural']}.{spec['group']}"
    found = []
    if crd["metadata"].get("name") != name:
        text = f'Invalid value: "{crd["metadata"].get("name")}": must be spec.names.plural+"."+'
        found.append(cause("Invalid", "metadata.name", f"{text}spec.group"))
    if sum(bool(version["storage"]) for version in spec["versions"]) != 1:
        text = "Invalid value: must have exactly one version marked as storage version"
        found.append(cause("Invalid", "spec.versions", text))
        return found
    try:
        for kind in kinds_of(crd):
            _ = kind.compiled_schema
    except (ValueError, AttributeError, TypeError) as error:
        where = "spec.versions.schema.openAPIV3Schema"
        found.append(cause("Invalid", where, f"Invalid value: {error}"))
    return found


def load_yaml(name: str) -> dict[Any, Any]:
    """Return the content of a YAML file of this package."""
    text = (files("sparktest.devcluster") / name).read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast(dict[Any, Any], yaml.load(text, Loader=loader))  # noqa: S506 (a safe loader)


_DOCUMENT = load_yaml("kinds.yaml")
BUILT_IN = tuple(map(_kind, _DOCUMENT["kinds"]))
METADATA_SCHEMA = Schema(_DOCUMENT["everyKind"])


def built_in(kind: str) -> Kind:
    """Return a built-in kind by its name."""
    return next(candidate for candidate in BUILT_IN if candidate.kind == kind)


PODS, JOBS, NAMESPACES = built_in("Pod"), built_in("Job"), built_in("Namespace")
EVENTS, SECRETS, CONFIGMAPS = built_in("Event"), built_in("Secret"), built_in("ConfigMap")
ACCOUNTS, NODES = built_in("ServiceAccount"), built_in("Node")
CRDS = built_in("CustomResourceDefinition")
# The uid of this namespace identifies the cluster.
SYSTEM = "kube-system"
