"""The errors of the Kubernetes API, and their Status objects."""

from collections.abc import Sequence
from typing import Any, TypedDict

from sparktest.errors import SparkTestError


class Cause(TypedDict):
    """A StatusCause: one validation error, with Kubernetes' reason and the path of the field."""

    reason: str
    message: str
    field: str


class StatusError(SparkTestError):
    """An error response; `document()` is its body."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code = code
        self.reason = reason
        self.details = details or {}

    def document(self) -> dict[str, Any]:
        """Return the Status object."""
        document: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.detail,
            "reason": self.reason,
        }
        if self.retry_after is not None:
            self.details["retryAfterSeconds"] = max(1, round(self.retry_after))
        if self.details:
            document["details"] = self.details
        document["code"] = self.code
        return document


class NoRouteError(StatusError):
    """A path that the API does not serve. The response is plain text, as from a real API server."""

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "the server could not find the requested resource")


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def bad_request(message: str) -> StatusError:
    """Return the error for a malformed request."""
    return StatusError(400, "BadRequest", message)


def not_found(plural: str, group: str, name: str) -> StatusError:
    """Return the error for an object that does not exist."""
    return _object_error(404, "NotFound", plural, group, name, " not found")


def already_exists(plural: str, group: str, name: str) -> StatusError:
    """Return the error for a second object with the same name."""
    return _object_error(409, "AlreadyExists", plural, group, name, " already exists")


def conflict(plural: str, group: str, name: str, why: str) -> StatusError:
    """Return the error for a write that is based on another version of the object."""
    return _object_error(409, "Conflict", plural, group, name, f": {why}")


def forbidden(plural: str, group: str, name: str, why: str) -> StatusError:
    """Return the error for an action that is not allowed."""
    return _object_error(403, "Forbidden", plural, group, name, f" is forbidden: {why}")


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> StatusError:
    """Return the error for an invalid object; its message names every cause."""
    texts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    error = _object_error(422, "Invalid", kind, group, name, f" is invalid: {text}")
    error.details["causes"] = list(causes)
    return error


def _object_error(
    code: int, reason: str, resource: str, group: str, name: str, text: str
) -> StatusError:
    """Return an error about an object; `resource` is a plural, or a kind for validation errors."""
    qualified = f"{resource}.{group}" if group else resource
    lead = "Operation cannot be fulfilled on " if reason == "Conflict" else ""
    details = {"name": name, "group": group, "kind": resource}
    return StatusError(code, reason, f'{lead}{qualified} "{name}"{text}', details=details)


def expired(message: str) -> StatusError:
    """Return the error for a resource version whose events are no longer kept."""
    return StatusError(410, "Expired", message)


def cause(reason: str, field: str, message: str) -> Cause:
    """Return a cause; `reason` is without the prefix `FieldValue`."""
    return {"reason": f"FieldValue{reason}", "message": message, "field": field}
