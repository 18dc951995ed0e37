"""Map error responses of Kubernetes, which are Status objects, to SparkTestError. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sparktest.errors import FieldError, SparkTestError, for_status
from sparktest.kube.fields import Object, integer, items, mapping

MAX_RETRY_AFTER_SECONDS = 30.0
MAX_MESSAGE = 2000


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> SparkTestError:
    """Return the error for a response, with the message of its Status object if it has one."""
    try:
        obj = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        obj = {"message": body.decode(errors="replace").strip().partition("\n")[0]}
    retry_after = _seconds(headers.get("Retry-After"))
    return error_from_status(obj, status=status, retry_after=retry_after)


def error_from_status(
    obj: Any, *, status: int | None = None, retry_after: float | None = None
) -> SparkTestError:
    """Return the error for a Status object, such as the one that ends a watch.

    Its causes become `errors`: a JSON pointer to the field, and the message for the field.
    """
    obj = obj if isinstance(obj, dict) else {}
    details = mapping(obj, "details")
    if status is None:
        code = integer(obj, "code") or 500
        status = code if 400 <= code < 600 else 500
    if retry_after is None:
        retry_after = _seconds(details.get("retryAfterSeconds"))
    message = str(obj.get("message") or obj.get("reason") or f"HTTP {status}")
    return for_status(status)(
        message[:MAX_MESSAGE], errors=_causes(items(details, "causes")), retry_after=retry_after
    )


def root_cause(error: BaseException) -> str:
    """Return the message of the innermost cause of an error in one line."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    text = str(error)
    if isinstance(error, OSError) and error.strerror and not error.filename:
        # Without "[Errno 111]", and as part of a sentence.
        text = error.strerror[:1].lower() + error.strerror[1:]
    return " ".join(text.split())[:300] or type(error).__name__


def _causes(causes: list[Object]) -> list[FieldError]:
    return [
        {
            "pointer": "/" + str(cause.get("field") or "").replace(".", "/"),
            "detail": str(cause.get("message") or "")[:MAX_MESSAGE],
        }
        for cause in causes
    ]


def _seconds(value: Any) -> float | None:
    """Return at most MAX_RETRY_AFTER_SECONDS; None if it is no number, such as an HTTP date."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if seconds > 0 else None
