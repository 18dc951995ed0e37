"""A log is collected whole, or ends with the reason why it is not."""

from collections.abc import Callable
from typing import Any

import pytest

from sparktest.domain import Log, LogState
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
    PreconditionError,
    RateLimitedError,
    SparkTestError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from tests.controller.logs.fake_log_store import LogStore
from tests.controller.logs.test_collector import LINE, Setup, setup

__all__ = ["setup"]


@pytest.mark.parametrize(
    ("scripts", "store", "wanted"),
    [
        ([NotFoundError("no pod")], LogStore(), Log(reason="PodDeleted")),
        (
            [[LINE, NotFoundError("no pod")]],
            LogStore(),
            Log(state=LogState.PARTIAL, reason="PodDeleted", bytes=4),
        ),
        (
            [[LINE, ValueError("a bug")] for _ in range(6)],
            LogStore(),
            Log(state=LogState.PARTIAL, reason="ValueError", bytes=4),
        ),
        ([[LINE]], LogStore(GoneError("deleted")), Log(reason="RunDeleted")),
        ([[LINE]] * 6, LogStore(*[ValueError("a bug")] * 6), Log(reason="ValueError")),
    ],
    ids=["no pod", "pod deleted", "a bug in reading", "run deleted", "a bug in storing"],
)
def test_an_incomplete_log_has_a_reason(
    setup: Callable[..., Setup], scripts: list[Any], store: LogStore, wanted: Log
) -> None:
    at = setup(*scripts, store=store)
    at.collect("a")
    assert at.stored("a") == wanted


def test_a_log_is_read_again_after_an_unexpected_exception(setup: Callable[..., Setup]) -> None:
    at = setup([LINE], [LINE], store=LogStore(ValueError("a bug")))
    at.collect("a")
    assert at.stored("a") == Log(state=LogState.COMPLETE, bytes=4)


@pytest.mark.parametrize(
    "refusal",
    [
        MalformedError("400"),
        UnauthorizedError("401"),
        ForbiddenError("403"),
        NotFoundError("404"),
        ConflictError("409, of a proxy"),
        PreconditionError("412"),
        TooLargeError("413"),
        InvalidError("418"),
        RateLimitedError("429"),
        SparkTestError("500"),
        UnavailableError("503"),
    ],
    ids=str,
)
def test_no_refusal_of_the_api_ends_a_log(
    setup: Callable[..., Setup], refusal: SparkTestError
) -> None:
    at = setup([LINE], store=LogStore(*[refusal] * 50))
    at.collect("a")
    assert at.stored("a") == Log(state=LogState.COMPLETE, bytes=4)
    assert at.store.stored == b"one\n"


def test_a_log_that_was_rotated_since_the_last_controller_is_partial(
    setup: Callable[..., Setup],
) -> None:
    store = LogStore()
    store.stored = b"the first lines"
    at = setup([LINE], store=store)
    at.collect("a")
    found = at.stored("a")
    assert (found.state, found.reason) == (LogState.PARTIAL, "LogRotated")
    assert found.bytes == len(store.stored)
