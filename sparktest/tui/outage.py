"""Outage: why the API cannot be read now, and what to do about it. Pure."""

from typing import NamedTuple

from sparktest.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    SparkTestError,
    UnauthorizedError,
)
from sparktest.run_poller import RunPoller
from sparktest.sanitize import clean_text
from sparktest.tui import text

MAX_CAUSE = 150


class Outage(NamedTuple):
    """A failed read of the API; `retry_at` is in seconds on the poller's clock."""

    cause: str
    advice: str
    retry_at: float


def current_outage(poller: RunPoller) -> Outage | None:
    """Return why the poller's last request failed; None when it succeeded."""
    if poller.error is None:
        return None
    cause = text.cut(text.one_line(clean_text(poller.error.detail)), MAX_CAUSE)
    return Outage(cause, advice(poller.error), poller.retry_at)


def advice(error: SparkTestError) -> str:
    """Return what a person can do about an error of the API."""
    if isinstance(error, UnauthorizedError):
        return "set SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE to the token that the API was given"
    if isinstance(error, ForbiddenError):
        return "check SPARKTEST_BACKEND_URL and SPARKTEST_TOKEN"
    if isinstance(error, RateLimitedError):
        return "too many requests at once; the next try may succeed"
    # requests' errors are OSErrors: no connection, or one that was cut.
    if isinstance(error.__cause__, OSError):
        return "is it running? start it with sparktest up, or set SPARKTEST_BACKEND_URL"
    if error.__cause__ is not None or isinstance(error, NotFoundError | InvalidError):
        return "is this the address of SparkTest's API? check SPARKTEST_BACKEND_URL"
    return "see the log of the API, or check SPARKTEST_BACKEND_URL"
