"""What the API says when it refuses, as errors of SparkTest. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sparktest.errors import FieldError, SparkTestError, for_status

MAX_RETRY_AFTER = 30.0
MAX_MESSAGE = 2000


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> SparkTestError:
    """The error for an HTTP answer that refuses: the message of its Status object, if it is one."""
    try:
        given = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        text = body.decode(errors="replace").strip().partition("\n")[0]
        given = {"message": text or f"HTTP {status}"}
    after = _seconds(headers.get("Retry-After"))
    return status_error(given, status=status, retry_after=after)


def status_error(
    given: Any, *, status: int | None = None, retry_after: float | None = None
) -> SparkTestError:
    """The error for a Status object, such as the one that ends a watch.

    Its causes become `errors`: the pointer of each field and what is wrong with it.
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


def cause_of(error: BaseException) -> str:
    """The innermost thing that went wrong, on one line."""
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
    """Seconds to wait, at most MAX_RETRY_AFTER; None for no number (an HTTP date is not used)."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return min(seconds, MAX_RETRY_AFTER) if seconds > 0 else None
