"""Complete the operations of the OpenAPI document: their ids, headers and every status. Pure.

What follows from the path, the parameters and the body of an operation is not repeated at its
route.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from apispec import BasePlugin
from werkzeug.routing import Rule

from sparktest.api import examples
from sparktest.api.fields import camel

# Extension of operations whose resource has an ETag; it is not in the document.
ETAG = "x-etag"

# What each error means.
ERRORS: Mapping[int, str] = {
    400: "The body is not JSON, or the cursor is not one of this list.",
    401: "There is no valid token.",
    403: "The token lacks the scope, the Host is no name of this API, or the request comes from "
    "another web site.",
    404: "It does not exist.",
    409: "The state does not allow it; the detail says why.",
    410: "It was deleted.",
    412: "It has changed since it was read: `If-Match` is not its ETag.",
    413: "The body is too large.",
    415: "The Content-Type or the Content-Encoding is not supported.",
    422: "Fields or query parameters are invalid; `errors` lists all of them.",
    429: "Too many requests.",
    503: "The database or the cluster does not answer; the same request may succeed later.",
}
# The headers of responses.
HEADERS: Mapping[str, str] = {
    "ETag": "The version of the resource.",
    "Link": 'The next page, `<…>; rel="next"`, relative to the URL of the request.',
    "Location": "The new resource, or the one in the way; relative to the URL of the request.",
    "Retry-After": "Seconds after which the same request may succeed.",
    "WWW-Authenticate": "How to authenticate.",
    "Warning": "299, with the names of the unknown fields that were ignored.",
}
ERROR_HEADERS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    409: ("Location", "Warning"),
    422: ("Warning",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
# The headers of requests.
REQUEST_HEADERS: Mapping[str, str] = {
    "If-Match": "The ETag that the resource must have; otherwise 412.",
    "If-None-Match": "The ETag of what the client has; 304 if the resource still has it.",
    "Idempotency-Key": (
        "A text of the client. A repeated request with the same key and body changes nothing and "
        "gets the first response again."
    ),
}


# POST routes without an Idempotency-Key: a secret is not stored, and a question changes nothing.
WITHOUT_KEY = frozenset({"/api/tokens", "/api/test-runs:missing"})


class OperationsPlugin(BasePlugin):
    """Plugin of apispec that completes every operation."""

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Complete the operations of a path."""
        rule: Rule = kwargs["rule"]
        for method, operation in (operations or {}).items():
            operation["operationId"] = camel(rule.endpoint.rpartition(".")[2])
            complete(rule.rule, method, operation)
            examples.add(operation)


def complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the headers and statuses that follow from what the operation has."""
    etag = operation.pop(ETAG, False)
    responses = {str(status): response for status, response in operation["responses"].items()}
    parameters = operation.setdefault("parameters", [])
    for each in parameters:
        _require_value(each)
    paged = any(isinstance(each, dict) and each.get("name") == "cursor" for each in parameters)
    body = "requestBody" in operation
    parameters += _request_headers(path, method, etag=etag)
    if etag and method == "get":
        responses["304"] = {"description": "Unchanged.", "headers": {"ETag": "ETag"}}
    for status, response in responses.items():
        if status.startswith("2"):
            headers = _response_headers(status, paged=paged, etag=etag, body=body)
            response.setdefault("headers", {}).update({name: name for name in headers})
    secured = bool(operation["security"])
    for error in _errors(path, method, paged=paged, etag=etag, body=body, secured=secured):
        responses[str(error)] = HTTPStatus(error).name
    operation["responses"] = dict(sorted(responses.items()))


def _require_value(parameter: Any) -> None:
    """Remove null from the types of a query parameter: only JSON has it."""
    schema = parameter.get("schema", {}) if isinstance(parameter, dict) else {}
    if isinstance(schema.get("type"), list):
        (schema["type"],) = [kind for kind in schema["type"] if kind != "null"]


def _request_headers(path: str, method: str, *, etag: bool) -> Iterator[str]:
    """Yield the names of the headers that change what the request means."""
    if etag and method != "post":
        yield "If-None-Match" if method == "get" else "If-Match"
    if method == "post" and path not in WITHOUT_KEY:
        yield "Idempotency-Key"


def _response_headers(status: str, *, paged: bool, etag: bool, body: bool) -> Iterator[str]:
    if status == "201":
        yield "Location"
    if paged:
        yield "Link"
    if etag and status != "204":
        yield "ETag"
    if body:
        yield "Warning"


def _errors(
    path: str, method: str, *, paged: bool, etag: bool, body: bool, secured: bool
) -> Iterator[int]:
    """Yield the errors that every operation of this kind can have."""
    # Every route refuses unknown query parameters.
    yield from (403, 422, 503)
    if secured:
        yield from (401, 429)
    if "<" in path:
        yield 404
    if body or paged:
        yield 400
    if body:
        yield from (413, 415)
    if method != "get":
        yield 409
    if etag and method not in ("get", "post"):
        yield 412
