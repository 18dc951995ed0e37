"""Errors leave through here, as RFC 9457 problem+json: never a page, never a traceback."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from sparktest.errors import OffsetError, SparkTestError, UnauthorizedError

MIMETYPE = "application/problem+json"

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Make every error of the application a problem."""
    app.register_error_handler(SparkTestError, of_error)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, handle_unexpected)


def problem(
    status: int,
    title: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem as an answer; `type` is stable, one a title."""
    document = {
        "type": f"urn:sparktest:problem:{title.lower().replace(' ', '-')}",
        "title": title,
        "status": status,
        "detail": detail,
        **(extra or {}),
    }
    return Response(msgspec.json.encode(document), status, headers, mimetype=MIMETYPE)


def of_error(error: SparkTestError) -> Response:
    """The problem that an error of SparkTest is."""
    extra: dict[str, Any] = {"errors": error.errors} if error.errors else {}
    if isinstance(error, OffsetError):
        extra["stored"] = error.stored
    headers = {}
    if error.retryable or error.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after or 1))
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="sparktest"'
    return problem(error.status, error.title, error.detail, extra, headers)


def of_http(error: HTTPException) -> Response:
    """The problem that an error of the framework is, with its headers (Allow and the like)."""
    kept = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() not in ("content-type", "content-length")
    }
    status = error.code or 500
    detail = error.description or error.name
    if status == 404:
        detail = f"there is nothing at {request.path}"
    if status == 405:
        detail = f"{request.method} is not possible at {request.path}"
    return problem(status, error.name, detail, headers=kept)


def handle_unexpected(error: Exception) -> Response:
    """Log the error with its traceback and answer 500."""
    log.error("request failed method=%s path=%s", request.method, request.path, exc_info=error)
    return problem(500, SparkTestError.title, "this is a bug in SparkTest; see the log of the API")
