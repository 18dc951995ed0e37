"""What goes wrong with writes: refused before, answer lost after, or the process dies."""

from collections.abc import Iterator
from contextlib import contextmanager

from sparktest.errors import UnavailableError


class CrashError(BaseException):
    """The process dies here."""


class Faults:
    """What goes wrong with the next writes: "before" and "after" lose a call or its answer,
    "crash before" and "crash after" end the process; None lets it pass.
    """

    def __init__(self) -> None:
        self.next: list[str | None] = []

    @contextmanager
    def around(self) -> Iterator[None]:
        """The call in here meets the next fault."""
        fault = self.next.pop(0) if self.next else None
        if fault == "crash before":
            raise CrashError
        if fault == "before":
            raise UnavailableError("no answer")
        yield
        if fault == "crash after":
            raise CrashError
        if fault == "after":
            raise UnavailableError("the answer was lost")
