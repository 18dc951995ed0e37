import pytest

from sparktest.cli.exits import Exit, error_code, error_text, outcome_code
from sparktest.domain import FailureClass, Status
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
    OffsetError,
    PreconditionError,
    RateLimitedError,
    SparkTestError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)


@pytest.mark.parametrize(
    ("status", "failure_class", "code"),
    [
        (Status.SUCCEEDED, None, 0),
        (Status.FAILED, FailureClass.TEST, 1),
        (Status.FAILED, None, 1),
        (Status.FAILED, FailureClass.INFRA, 3),
        (Status.FAILED, FailureClass.CONFIG, 3),
        (Status.TIMED_OUT, FailureClass.TIMEOUT, 4),
        (Status.CANCELLED, FailureClass.CANCELLED, 5),
    ],
)
def test_every_outcome_has_an_exit_code(
    status: Status, failure_class: FailureClass | None, code: int
) -> None:
    assert outcome_code(status, failure_class) == code


def test_only_success_is_0() -> None:
    for status in Status:
        for failure_class in (None, *FailureClass):
            code = outcome_code(status, failure_class)
            assert (code == 0) == (status is Status.SUCCEEDED)


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ((InvalidError, MalformedError, NotFoundError, GoneError, ConflictError), Exit.USAGE),
        ((PreconditionError, TooLargeError), Exit.USAGE),
        ((UnauthorizedError, ForbiddenError, SparkTestError), Exit.INFRA),
        ((UnavailableError, RateLimitedError), Exit.UNREACHABLE),
    ],
)
def test_every_error_has_an_exit_code(kinds: tuple[type[SparkTestError], ...], code: Exit) -> None:
    for kind in kinds:
        assert error_code(kind("because")) is code
    assert error_code(OffsetError("because", stored=1)) is Exit.USAGE


def test_an_error_is_one_line_with_every_field() -> None:
    errors: list = [{"pointer": "/a", "detail": "x\ny"}, {"pointer": "", "detail": "z"}]

    assert error_text(InvalidError("two\nfields")) == "two fields"
    assert error_text(InvalidError("two fields", errors=errors)) == "a: x y; z"
