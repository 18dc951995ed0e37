"""Map error responses of Kubernetes, which are Status objects, to SparkTestError. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sparktest.errors import FieldError, SparkTestError, for_status

MAX_RETRY_AFTER_SECONDS = 30.0
MAX_MESSAGE = 2000


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> SparkTestError:
    """Return the error for a response, with the message of its Status object if it has one."""
    try:
        given = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        text = body.decode(errors="replace").strip().partition("\n")[0]
        given = {"message": text or f"HTTP {status}"}
    after = _seconds(headers.get("Retry-After"))
    return error_from_status(given, status=status, retry_after=after)


def error_from_status(
    given: Any, *, status: int | None = None, retry_after: float | None = None
) -> SparkTestError:
    """Return the error for a Status object, such as the one that ends a watch.

    Its causes become `errors`: a JSON pointer to the field, and what is wrong with it.
    """
    given = given if isinstance(given, dict) else {}
    details = given.get("details")
    details = details if isinstance(details, dict) else {}
    if status is None:
        code = given.get("code")
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    if retry_after is None:
        retry_after = _seconds(details.get("retryAfterSeconds"))
    message = str(given.get("message") or given.get("reason") or f"HTTP {status}")
    return for_status(status)(
        message[:MAX_MESSAGE], errors=_causes(details.get("causes")), retry_after=retry_after
    )


def root_cause(error: BaseException) -> str:
    """Return the message of the innermost cause of an error, on one line."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return " ".join(str(error).split())[:300] or type(error).__name__


def _causes(causes: Any) -> list[FieldError]:
    return [
        {
            "pointer": "/" + str(cause.get("field") or "").replace(".", "/"),
            "detail": str(cause.get("message") or "")[:MAX_MESSAGE],
        }
        for cause in (causes if isinstance(causes, list) else [])
        if isinstance(cause, dict)
    ]


def _seconds(value: Any) -> float | None:
    """Return seconds, at most MAX_RETRY_AFTER_SECONDS; None for anything else, as an HTTP date."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds > 0 else None
