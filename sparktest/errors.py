"""The exceptions of SparkTest: a class for each kind of error, with its HTTP status.

SparkTestError                500
├── InvalidError              422   the input breaks a rule
│   └── MalformedError        400   the input cannot be parsed
├── UnauthorizedError         401
├── ForbiddenError            403
├── NotFoundError             404
├── ConflictError             409
│   ├── NameTakenError        409   another object of the kind has this name
│   └── OffsetError           409   a log chunk that does not continue the stored log
├── GoneError                 410   it existed and was deleted
├── PreconditionError         412   it changed since it was read
├── TooLargeError             413
├── RateLimitedError          429   retryable
└── UnavailableError          503   retryable: not reachable, or unable to answer now
"""

from collections.abc import Sequence
from typing import ClassVar, Self, TypedDict


class FieldError(TypedDict):
    """One broken rule: the JSON pointer (RFC 6901) of the field, and what is wrong with it."""

    pointer: str
    detail: str


class SparkTestError(Exception):
    """Base class of all errors.

    Attributes:
        status: the HTTP status.
        title: the kind of error, for people.
        retryable: the same request may succeed later.
        detail: the message for people.
        errors: the invalid fields.
        retry_after: the seconds to wait before a retry, if the server gave a number.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str, *, errors: Sequence[FieldError] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after

    @classmethod
    def at(cls, pointer: str, detail: str) -> Self:
        """Return the error for a single field."""
        return cls(f"{pointer}: {detail}", errors=[{"pointer": pointer, "detail": detail}])


class InvalidError(SparkTestError):
    """The input breaks a rule; `errors` names every field that does."""

    status = 422
    title = "Invalid input"


class MalformedError(InvalidError):
    """The input cannot be parsed, such as invalid JSON."""

    status = 400
    title = "Malformed request"


class UnauthorizedError(SparkTestError):
    """The request has no valid token."""

    status = 401
    title = "Unauthorized"


class ForbiddenError(SparkTestError):
    """The caller is authenticated but may not do this."""

    status = 403
    title = "Forbidden"


class NotFoundError(SparkTestError):
    """The object does not exist."""

    status = 404
    title = "Not found"


class ConflictError(SparkTestError):
    """The current state of the object does not allow this."""

    status = 409
    title = "Conflict"


class OffsetError(ConflictError):
    """A log chunk does not continue the stored log, which has `stored` bytes."""

    title = "Log offset conflict"

    def __init__(self, detail: str, *, stored: int) -> None:
        super().__init__(detail)
        self.stored = stored


class NameTakenError(ConflictError):
    """Another object of the kind has this name; `path` is its path in the API, if it is known."""

    title = "Name taken"

    def __init__(self, detail: str, *, path: str | None = None) -> None:
        super().__init__(f"/name: {detail}", errors=[{"pointer": "/name", "detail": detail}])
        self.path = path


class GoneError(SparkTestError):
    """The object existed and was deleted.

    Attributes:
        tombstone: in the API, the id of the run that was deleted.
    """

    status = 410
    title = "Gone"
    tombstone: str | None = None

    @classmethod
    def of_run(cls, run_id: str, detail: str) -> Self:
        """Return the error for a run whose tombstone the store has."""
        error = cls(detail)
        error.tombstone = run_id
        return error


class PreconditionError(SparkTestError):
    """The object has changed since the caller read it."""

    status = 412
    title = "Precondition failed"


class TooLargeError(SparkTestError):
    """The request body is larger than the limit."""

    status = 413
    title = "Request too large"


class RateLimitedError(SparkTestError):
    """The client sends too many requests."""

    status = 429
    title = "Too many requests"
    retryable = True


class UnavailableError(SparkTestError):
    """The server is not reachable or cannot answer now."""

    status = 503
    title = "Unavailable"
    retryable = True


# Some share 409 with their base class, which is the one to rebuild.
BY_STATUS: dict[int, type[SparkTestError]] = {
    MalformedError.status: MalformedError,
    **{error.status: error for error in SparkTestError.__subclasses__()},
}


def for_status(status: int) -> type[SparkTestError]:
    """Return the class of error for an HTTP status.

    An unknown 4xx is InvalidError; 502, 504 and other 5xx are UnavailableError, since the same
    request may succeed later.
    """
    if status in BY_STATUS:
        return BY_STATUS[status]
    return InvalidError if 400 <= status < 500 else UnavailableError
