"""What the API says about itself: health, version, OpenAPI and discovery. Pure."""

from typing import Any

from sparktest.devcluster import openapi
from sparktest.devcluster.api_errors import NoRouteError
from sparktest.devcluster.kinds import Kind
from sparktest.devcluster.requests import Request, Response, json_response

Document = dict[str, Any]
HEALTH = ("/healthz", "/livez", "/readyz")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
# kubectl shows them in this order.
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
SUB_VERBS = {"log": ["get"], "finalize": ["update"], "status": ["get", "patch", "update"]}


def describe(request: Request, kinds: list[Kind]) -> Response | None:
    """Return the response for a path that is about the API itself; None for any other path.

    Raises:
        NoRouteError: there is no such group, version or document.
    """
    path = request.path.rstrip("/") or "/"
    if path in HEALTH:
        return Response(b"ok", media_type="text/plain")
    if path == "/version":
        return json_response(openapi.VERSION)
    if path.startswith("/openapi/"):
        return _openapi(request, path, kinds)
    steps = path.strip("/").split("/")
    if steps[0] not in ("api", "apis") or len(steps) > (2 if steps[0] == "api" else 3):
        return None
    document = _discovery(request, steps, kinds)
    if document is None:
        raise NoRouteError
    response = json_response(document)
    if document["kind"] == "APIGroupDiscoveryList":
        response.media_type = AGGREGATED
    return response


def _openapi(request: Request, path: str, kinds: list[Kind]) -> Response:
    if path == "/openapi/v2":
        if OPENAPI_PROTOBUF in request.headers.get("accept", ""):
            # An empty document is valid too: kubectl then leaves validation to the server.
            return Response(media_type=OPENAPI_PROTOBUF.replace("@", "."))
        return json_response(openapi.v2(kinds))
    if path == "/openapi/v3":
        return json_response(openapi.index(kinds))
    document = openapi.document(path.removeprefix("/openapi/v3/"), kinds)
    if document is None:
        raise NoRouteError
    return json_response(document)


def _discovery(request: Request, steps: list[str], kinds: list[Kind]) -> Document | None:
    accept = request.headers.get("accept", "")
    is_aggregated = "as=APIGroupDiscoveryList" in accept and "v=v2;" in f"{accept};"
    match steps:
        case ["api" | "apis"] if is_aggregated:
            return aggregated(kinds, core=steps[0] == "api")
        case ["api"]:
            return core_versions(request.headers.get("host", ""))
        case ["apis"]:
            return groups(kinds)
        case ["api", version]:
            return resources("", version, kinds)
        case ["apis", group_name]:
            return group(group_name, kinds)
        case ["apis", group_name, version]:
            return resources(group_name, version, kinds)
    return None


def core_versions(address: str) -> Document:
    """Return the answer of /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups(kinds: list[Kind]) -> Document:
    """Return the answer of /apis."""
    names = dict.fromkeys(kind.group for kind in kinds if kind.group)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, kinds) for name in names],
    }


def group(name: str, kinds: list[Kind]) -> Document | None:
    """Return the answer of /apis/{group}; None if there is no such group."""
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
    """Return the versions of a group, the preferred one first."""
    versions = dict.fromkeys(kind.version for kind in kinds if kind.group == name)
    stored = {kind.storage_version for kind in kinds if kind.group == name}
    return sorted(versions, key=lambda version: version not in stored)


def resources(group_name: str, version: str, kinds: list[Kind]) -> Document | None:
    """Return the answer of /api/v1 or /apis/{group}/{version}; None if it has no resources."""
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
    """Return the aggregated discovery of the core group, or of all other groups."""
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
