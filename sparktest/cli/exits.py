"""How a command ends: its exit code, and the one line that says why."""

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from sparktest.errors import (
    ForbiddenError,
    RateLimitedError,
    SparkTestError,
    UnauthorizedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from sparktest.domain import Run


class Exit(IntEnum):
    """The exit codes of every command; scripts rely on them."""

    PASSED = 0
    TEST_FAILED = 1
    USAGE = 2
    INFRA = 3
    TIMED_OUT = 4
    CANCELLED = 5
    UNREACHABLE = 6
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class ExitError(Exception):
    """A command ends here: `text` is one line for a person, `before` lines that belong to it."""

    def __init__(self, text: str, code: Exit, *, before: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.before = before


OF_STATUS = {
    "succeeded": Exit.PASSED,
    "timed_out": Exit.TIMED_OUT,
    "cancelled": Exit.CANCELLED,
}
OF_FAILURE = {"infra": Exit.INFRA, "config": Exit.INFRA}


def of_run(run: "Run") -> Exit:
    """The exit code of a run that has ended."""
    if run.status.value in OF_STATUS:
        return OF_STATUS[run.status.value]
    kind = run.failure.class_.value if run.failure else ""
    return OF_FAILURE.get(kind, Exit.TEST_FAILED)


def of_error(error: SparkTestError) -> Exit:
    """The exit code of a command that the API refused or did not answer."""
    if isinstance(error, UnavailableError | RateLimitedError):
        return Exit.UNREACHABLE
    if isinstance(error, UnauthorizedError | ForbiddenError) or type(error) is SparkTestError:
        return Exit.INFRA
    return Exit.USAGE


def text_of(error: SparkTestError) -> str:
    """The error on one line: every field that is wrong, or what there is to say."""
    found = [(at["pointer"].lstrip("/"), at["detail"]) for at in error.errors]
    fields = "; ".join(f"{field}: {detail}" if field else detail for field, detail in found)
    return " ".join((fields or error.detail).split())
