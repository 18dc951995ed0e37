"""A request and its answer, apart from HTTP; and what a path means."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from sparktest.devcluster import protobuf
from sparktest.devcluster.api_errors import NoRouteError, StatusError, bad_request
from sparktest.devcluster.kinds import PODS, Kind, Kinds

METHODS = {
    "GET": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}

# What kubectl asks of real pods and pods of this kind cannot give.
ABSENT = ("attach", "exec", "portforward")


class Request(msgspec.Struct):
    """What came in; `query` keeps the last value of each name, headers are lower case."""

    method: str
    path: str
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: bytes = b""

    def flag(self, name: str) -> bool:
        """Whether a query parameter is set and not false."""
        return self.query.get(name, "false") not in ("", "0", "false", "False")

    def number(self, name: str) -> int | None:
        """A query parameter that is a number; None where it is absent; 400 if it is none."""
        text = self.query.get(name)
        if text is None or text == "":
            return None
        try:
            return int(text)
        except ValueError as error:
            raise bad_request(f"{name}: Invalid value: {text!r}: must be a number") from error

    def json(self) -> Any:
        """The decoded body; 400 if it is no JSON, 415 if it is in a form that is not read."""
        media_type = self.headers.get("content-type", "application/json")
        if media_type.startswith("application/vnd.kubernetes.protobuf"):
            return protobuf.decode(self.body)
        if "json" not in media_type:
            text = f"{media_type} cannot be read; send application/json"
            raise StatusError(415, "UnsupportedMediaType", text)
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise bad_request(f"the body of the request is no JSON: {error}") from error


class Answer(msgspec.Struct):
    """What goes out: a body, or a stream whose pieces may be None (nothing happened lately)."""

    body: bytes = b""
    code: int = 200
    headers: dict[str, str] = {}
    media_type: str = "application/json"
    stream: Iterator[bytes | None] | None = None


class Target(msgspec.Struct, frozen=True):
    """The resource that a path leads to; `name` is empty for the collection."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def answered(document: Any, code: int = 200) -> Answer:
    """An answer with a JSON document."""
    return Answer(msgspec.json.encode(document), code)


def refused(error: StatusError) -> Answer:
    """The answer for an error."""
    if isinstance(error, NoRouteError):
        return Answer(b"404 page not found\n", 404, media_type="text/plain; charset=utf-8")
    headers = warning_headers(error.warnings)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return Answer(msgspec.json.encode(error.document()), error.code, headers)


def warning_headers(warnings: list[str]) -> dict[str, str]:
    """The header that has kubectl show warnings."""
    # As JSON, so that nothing in a field's name ends the header.
    text = ", ".join(f"299 - {json.dumps(warning)}" for warning in warnings)
    return {"Warning": text} if text else {}


def target(path: str, kinds: Kinds) -> Target:
    """What a path under /api/v1 or /apis/{group}/{version} leads to.

    Raises:
        StatusError: 404, to nothing.
    """
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        raise NoRouteError
    namespace = ""
    # /namespaces/x is the namespace itself; with `status` behind it still is.
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = kinds.find(group, version, rest[0])
    name, subresource = (*rest[1:3], "", "")[:2]
    scoped = kind.namespaced == bool(namespace) or not (name or namespace)
    if kind is PODS and subresource in ABSENT:
        text = f"the dev cluster has no {subresource}: its pods are processes of this machine"
        raise StatusError(405, "MethodNotAllowed", text)
    if len(rest) > 3 or not scoped or (subresource and subresource not in kind.subresources):
        raise NoRouteError
    return Target(kind, namespace, name, subresource)


def verb_of(request: Request, aim: Target) -> str:
    """Return the verb of a request: get, list, watch, create, update, patch or a delete.

    Raises:
        StatusError: 405, this resource does not know the verb.
    """
    verb = METHODS.get(request.method, request.method.lower())
    if not aim.name:
        verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
        if verb == "list" and request.flag("watch"):
            verb = "watch"
    collective = verb in ("list", "watch", "create", "deletecollection")
    homeless = aim.kind.namespaced and not aim.namespace and verb not in ("list", "watch")
    unknown = verb not in aim.kind.verbs and not aim.subresource
    if collective == bool(aim.name) or homeless or unknown:
        raise StatusError(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    return verb
