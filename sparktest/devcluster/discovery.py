"""Discovery: which groups, versions and resources there are, in both of its forms. Pure."""

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
# In this order, and kubectl shows it.
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
SUB_VERBS = {"log": ["get"], "finalize": ["update"], "status": ["get", "patch", "update"]}


def core_versions(address: str) -> Document:
    """The answer of /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups(kinds: list[Kind]) -> Document:
    """The answer of /apis."""
    names = dict.fromkeys(kind.group for kind in kinds if kind.group)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, kinds) for name in names],
    }


def group(name: str, kinds: list[Kind]) -> Document | None:
    """The answer of /apis/{group}; None where there is no such group."""
    if not any(kind.group == name for kind in kinds):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, kinds)}


def _group(name: str, kinds: list[Kind]) -> Document:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in _versions(name, kinds)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _versions(name: str, kinds: list[Kind]) -> list[str]:
    """The versions of a group, the one to prefer first."""
    known = dict.fromkeys(kind.version for kind in kinds if kind.group == name)
    stored = {kind.storage_version for kind in kinds if kind.group == name}
    return sorted(known, key=lambda version: version not in stored)


def resources(group_name: str, version: str, kinds: list[Kind]) -> Document | None:
    """The answer of /api/v1 and /apis/{group}/{version}; None where there is nothing."""
    here = [kind for kind in kinds if (kind.group, kind.version) == (group_name, version)]
    if not here:
        return None
    listed = [entry for kind in here for entry in _resource(kind)]
    document = {"kind": "APIResourceList", "groupVersion": here[0].api_version}
    return document | ({"apiVersion": "v1"} if group_name else {}) | {"resources": listed}


def _resource(kind: Kind) -> list[Document]:
    entry: Document = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(CUSTOM_VERBS) if kind.custom else sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    below = [
        {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": SUB_VERBS[name],
        }
        for name in kind.served_subresources()
    ]
    return [entry, *below]


def aggregated(kinds: list[Kind], *, core: bool) -> Document:
    """Everything at once, as kubectl asks for it: the core group, or all others."""
    names = [""] if core else list(dict.fromkeys(kind.group for kind in kinds if kind.group))
    items = []
    for name in names:
        versions = [
            {
                "version": version,
                "resources": [
                    _aggregated(kind)
                    for kind in kinds
                    if (kind.group, kind.version) == (name, version)
                ],
                "freshness": "Current",
            }
            for version in _versions(name, kinds)
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated(kind: Kind) -> Document:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    entry: Document = {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(CUSTOM_VERBS) if kind.custom else sorted(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [
            {"subresource": name, "responseKind": response, "verbs": SUB_VERBS[name]}
            for name in kind.served_subresources()
        ]
    return entry
