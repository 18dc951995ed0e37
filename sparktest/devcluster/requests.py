"""Requests and responses, independent of HTTP; and the target and verb of a request."""

from collections.abc import Iterator
from typing import Any

import msgspec

from sparktest.devcluster import protobuf
from sparktest.devcluster.api_errors import NoRouteError, StatusError, bad_request
from sparktest.devcluster.kinds import PODS, Kind, Kinds

METHODS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# Subresources that kubectl uses and processes do not have.
UNSUPPORTED_SUBRESOURCES = ("attach", "exec", "portforward")


class Request(msgspec.Struct):
    """One request; `query` holds the last value of each name, header names are lower case.

    `warnings` are sent with the response, whether the request succeeds or fails.
    """

    method: str
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: bytes = b""
    warnings: list[str] = []

    def flag(self, name: str) -> bool:
        """Return True if a query parameter is set and not false."""
        return self.query.get(name, "false") not in ("", "0", "false", "False")

    def number(self, name: str) -> int | None:
        """Return a query parameter as a number, None if it is absent.

        Raises:
            StatusError: 400, it is not a number.
        """
        text = self.query.get(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise bad_request(f"{name}: Invalid value: {text!r}: must be a number") from error

    def json(self) -> Any:
        """Return the decoded body.

        Raises:
            StatusError: 400, invalid JSON; 415, an unsupported media type.
        """
        media_type = self.headers.get("content-type", "application/json")
        if media_type.startswith("application/vnd.kubernetes.protobuf"):
            return protobuf.decode(self.body)
        if "json" not in media_type:
            text = f"{media_type} cannot be read; send application/json"
            raise StatusError(415, "UnsupportedMediaType", text)
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_request(f"the body of the request is not JSON: {error}") from error

    def json_object(self) -> dict[str, Any]:
        """Return the decoded body, which must be an object; for errors see json()."""
        document = self.json()
        if not isinstance(document, dict):
            raise bad_request("the body must be an object")
        return document


class Response(msgspec.Struct):
    """One response: a body, or a stream that yields None while it has nothing to send."""

    body: bytes = b""
    code: int = 200
    headers: dict[str, str] = {}
    media_type: str = "application/json"
    stream: Iterator[bytes | None] | None = None


class Target(msgspec.Struct, frozen=True):
    """The resource that a path names; `name` is empty for a collection."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def json_response(document: Any, code: int = 200) -> Response:
    """Return a response with a JSON document."""
    return Response(msgspec.json.encode(document), code)


def error_response(error: StatusError) -> Response:
    """Return the response for an error."""
    if isinstance(error, NoRouteError):
        return Response(b"404 page not found\n", 404, media_type="text/plain; charset=utf-8")
    response = json_response(error.document(), error.code)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def parse_path(path: str, kinds: Kinds) -> Target:
    """Return the target of a path under /api/v1 or /apis/{group}/{version}.

    Raises:
        StatusError: 404, no such resource; 405, a subresource that the dev cluster lacks.
    """
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        raise NoRouteError
    namespace = ""
    # /namespaces/x and /namespaces/x/status are about the namespace itself.
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.find(group, version, rest[0])
    name, subresource = (*rest[1:3], "", "")[:2]
    scoped = kind.namespaced == bool(namespace) or not (name or namespace)
    if kind is PODS and subresource in UNSUPPORTED_SUBRESOURCES:
        text = f"the dev cluster has no {subresource}: its pods are processes of this machine"
        raise StatusError(405, "MethodNotAllowed", text)
    if len(rest) > 3 or not scoped or (subresource and subresource not in kind.subresources):
        raise NoRouteError
    return Target(kind, namespace, name, subresource)


def verb_of(request: Request, target: Target) -> str:
    """Return the verb of a request, such as get, list or deletecollection.

    Raises:
        StatusError: 405, the resource does not support the verb.
    """
    verb = METHODS.get(request.method, request.method.lower())
    if not target.name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        if verb == "list" and request.flag("watch"):
            verb = "watch"
    is_collection_verb = verb in ("list", "watch", "create", "deletecollection")
    lacks_namespace = (
        target.kind.namespaced and not target.namespace and verb not in ("list", "watch")
    )
    unknown = verb not in target.kind.verbs and not target.subresource
    if is_collection_verb == bool(target.name) or lacks_namespace or unknown:
        text = "the server does not allow this method on the requested resource"
        raise StatusError(405, "MethodNotAllowed", text)
    return verb
