"""Error responses: every error is answered as RFC 9457 problem+json."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sparktest.api.responses import location
from sparktest.errors import (
    FieldError,
    NameTakenError,
    OffsetError,
    SparkTestError,
    UnauthorizedError,
)

MIMETYPE = "application/problem+json"

log = logging.getLogger(__name__)


class Problem(msgspec.Struct, omit_defaults=True):
    """An error, as in RFC 9457; `stored` is the length of the log after a refused append."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    stored: int | None = None


def install(app: Flask) -> None:
    """Register the error handlers."""
    app.register_error_handler(SparkTestError, from_error)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(Exception, handle_unexpected)


def encode_problem(status: int, title: str, detail: str, **extra: Any) -> bytes:
    """Return the JSON of a problem; its type is derived from the title."""
    kind = f"urn:sparktest:problem:{title.lower().replace(' ', '-')}"
    return msgspec.json.encode(
        Problem(type=kind, title=title, status=status, detail=detail, **extra)
    )


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """Return a problem as a response."""
    body = encode_problem(status, title, detail, **extra)
    return Response(body, status, headers, mimetype=MIMETYPE)


def from_error(error: SparkTestError) -> Response:
    """Return an error of SparkTest as a problem."""
    headers = {}
    if error.retryable or error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after or 1))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="sparktest"'
    if isinstance(error, NameTakenError) and error.path:
        headers |= location(error.path)
    stored = error.stored if isinstance(error, OffsetError) else None
    return problem(
        error.status, error.title, error.detail, headers, errors=error.errors, stored=stored
    )


def from_http(error: HTTPException) -> Response:
    """Return an error of werkzeug as a problem, with its headers such as Allow."""
    kept = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() not in ("content-type", "content-length")
    }
    status = error.code or 500
    detail = error.description or error.name
    if status == 404:
        detail = f"the path {request.path} does not exist; /api/docs lists those that do"
    if status == 405:
        detail = f"{request.method} is not allowed at {request.path}"
    return problem(status, error.name.capitalize(), detail, kept)


def handle_unexpected(error: Exception) -> Response:
    """Log the error with its traceback and answer 500."""
    log.error("request failed method=%s path=%r", request.method, request.path, exc_info=error)
    return problem(500, SparkTestError.title, "this is a bug in SparkTest; see the log of the API")
