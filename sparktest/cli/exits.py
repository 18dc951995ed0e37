"""Exit codes of every command, and messages on stderr."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

import click

from sparktest.errors import (
    ForbiddenError,
    RateLimitedError,
    SparkTestError,
    UnauthorizedError,
    UnavailableError,
)
from sparktest.sanitize import clean_text


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
    """End the command with an exit code.

    Args:
        text: one line for the user.
        code: the exit code.
        before: lines to print before it, such as the end of a log.
    """

    def __init__(self, text: str, code: Exit, *, before: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.before = before


STATUS_CODES = {"succeeded": Exit.PASSED, "timed_out": Exit.TIMED_OUT, "cancelled": Exit.CANCELLED}
FAILURE_CODES = {"infra": Exit.INFRA, "config": Exit.INFRA}


def outcome_code(status: str, failure_class: str | None = None) -> Exit:
    """Return the exit code for the final status of a run and the class of its failure."""
    if status in STATUS_CODES:
        return STATUS_CODES[status]
    return FAILURE_CODES.get(failure_class or "", Exit.TEST_FAILED)


def error_code(error: SparkTestError) -> Exit:
    """Return the exit code for an error of the API or the cluster."""
    if isinstance(error, UnavailableError | RateLimitedError):
        return Exit.UNREACHABLE
    if isinstance(error, UnauthorizedError | ForbiddenError) or type(error) is SparkTestError:
        return Exit.INFRA
    return Exit.USAGE


def error_text(error: SparkTestError) -> str:
    """Return the error as one line: every wrong field when it names fields, else its detail."""
    found = [(each["pointer"].lstrip("/"), each["detail"]) for each in error.errors]
    fields = "; ".join(f"{field}: {detail}" if field else detail for field, detail in found)
    return " ".join((fields or error.detail).split())


def warn(text: str) -> None:
    """Print one line on stderr, safe to show."""
    click.echo(f"sparktest: {' '.join(clean_text(text).split())}", err=True)


@contextmanager
def infra_errors() -> Iterator[None]:
    """Turn errors into exit code 3: a program that fails is not wrong usage."""
    try:
        yield
    except SparkTestError as error:
        raise ExitError(error_text(error), Exit.INFRA) from error
