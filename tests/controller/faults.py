"""Faults of writes: the request or the response is lost, or the process dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from sparktest.errors import UnavailableError


class CrashError(BaseException):
    """The process dies."""


class Faults:
    """The faults of the next writes, one each.

    "before" loses the request and "after" its response, "crash before" and "crash after" end the
    process at that point, None does nothing.
    """

    def __init__(self) -> None:
        self.next: list[str | None] = []

    @contextmanager
    def around(self) -> Iterator[None]:
        """Apply the next fault to the write in this block."""
        fault = self.next.pop(0) if self.next else None
        if fault == "crash before":
            raise CrashError
        if fault == "before":
            raise UnavailableError("the request was lost")
        yield
        if fault == "crash after":
            raise CrashError
        if fault == "after":
            raise UnavailableError("the response was lost")
