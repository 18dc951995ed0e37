"""Advice on errors of the API. Pure."""

from sparktest.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    SparkTestError,
    UnauthorizedError,
)
from sparktest.responses import ForeignServerError


def advice(error: SparkTestError) -> str:
    """Return advice for the user on an error of the API."""
    if isinstance(error, UnauthorizedError):
        return "set SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE to a valid token of this API"
    if isinstance(error, ForbiddenError):
        return "check SPARKTEST_BACKEND_URL, and the scopes of SPARKTEST_TOKEN"
    if isinstance(error, RateLimitedError):
        return "too many requests at once; the next try may succeed"
    # requests' errors are OSErrors: no connection, or one that was cut.
    if isinstance(error.__cause__, OSError):
        return "is it running? start it with sparktest up, or set SPARKTEST_BACKEND_URL"
    foreign = isinstance(error, ForeignServerError | NotFoundError | InvalidError)
    if error.__cause__ is not None or foreign:
        return "is this the address of SparkTest's API? check SPARKTEST_BACKEND_URL"
    return "see the log of the API, or check SPARKTEST_BACKEND_URL"
