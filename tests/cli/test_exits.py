from datetime import UTC, datetime

import pytest

from sparktest.cli.exits import Exit, of_error, of_run, text_of
from sparktest.domain import Failure, FailureClass, Origin, Run, Status
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


def ended(status: Status, kind: FailureClass | None = None) -> Run:
    failure = Failure(class_=kind, reason="r") if kind else None
    return Run(
        id="1",
        name="n",
        status=status,
        origin=Origin.API,
        failure=failure,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (ended(Status.SUCCEEDED), 0),
        (ended(Status.FAILED, FailureClass.TEST), 1),
        (ended(Status.FAILED), 1),
        (ended(Status.FAILED, FailureClass.INFRA), 3),
        (ended(Status.FAILED, FailureClass.CONFIG), 3),
        (ended(Status.TIMED_OUT, FailureClass.TIMEOUT), 4),
        (ended(Status.CANCELLED, FailureClass.CANCELLED), 5),
    ],
    ids=lambda value: value.failure.class_ if isinstance(value, Run) and value.failure else None,
)
def test_a_pipeline_can_tell_the_outcomes_apart(run: Run, code: int) -> None:
    assert of_run(run) == code


def test_only_a_success_ends_with_0() -> None:
    for status in Status:
        for kind in (None, *FailureClass):
            assert (of_run(ended(status, kind)) == 0) == (status is Status.SUCCEEDED)


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ((InvalidError, MalformedError, NotFoundError, GoneError, ConflictError), Exit.USAGE),
        ((PreconditionError, TooLargeError), Exit.USAGE),
        ((UnauthorizedError, ForbiddenError, SparkTestError), Exit.INFRA),
        ((UnavailableError, RateLimitedError), Exit.UNREACHABLE),
    ],
)
def test_what_the_api_refuses_has_a_code_too(
    kinds: tuple[type[SparkTestError], ...], code: Exit
) -> None:
    for kind in kinds:
        assert of_error(kind("because")) is code
    assert of_error(OffsetError("because", stored=1)) is Exit.USAGE


def test_an_error_is_one_line_with_every_field() -> None:
    errors: list = [{"pointer": "/a", "detail": "x\ny"}, {"pointer": "", "detail": "z"}]

    assert text_of(InvalidError("two\nfields")) == "two fields"
    assert text_of(InvalidError("two fields", errors=errors)) == "a: x y; z"
