from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller.circuit_breaker import MAX_FAILURES, TRIAL_INTERVAL, CircuitBreaker
from sparktest.controller.testruns import Key
from sparktest.errors import (
    ForbiddenError,
    GoneError,
    NotFoundError,
    RateLimitedError,
    SparkTestError,
    UnauthorizedError,
    UnavailableError,
)
from tests.controller.objects import NOW

KEY, OTHER, THIRD = (("tests", name) for name in ("a", "b", "c"))
REFUSED = UnavailableError("refused")


class Setup:
    """A breaker, the keys that it queued, how often it opened, and the time."""

    def __init__(self) -> None:
        self.now = NOW
        self.keys: list[Key] = []
        self.opened = 0
        self.breaker = CircuitBreaker(
            on_key=self.keys.append, on_open=self._opened, clock=lambda: self.now
        )

    def _opened(self) -> None:
        assert self.breaker.error
        self.opened += 1

    def fail_writes(self) -> None:
        for _ in range(MAX_FAILURES):
            self.breaker.record("PUT", REFUSED)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_a_deferred_key_is_queued_once_when_the_api_is_back(setup: Setup) -> None:
    setup.breaker.failed(REFUSED)
    setup.breaker.defer(KEY)
    setup.breaker.defer(KEY)
    setup.breaker.failed(REFUSED)
    assert setup.keys == []
    setup.breaker.succeeded()
    setup.breaker.succeeded()
    assert setup.keys == [KEY]
    assert setup.breaker.error is None


def test_a_key_is_queued_at_once_while_the_api_answers(setup: Setup) -> None:
    setup.breaker.defer(KEY)
    assert setup.keys == [KEY]


def test_an_outage_begins_at_its_first_failure_and_shows_the_last(setup: Setup) -> None:
    setup.breaker.failed(REFUSED)
    setup.now += timedelta(seconds=60)
    setup.breaker.failed(UnavailableError("timed out"))
    assert (setup.breaker.error, setup.breaker.opened_at) == ("timed out", NOW)
    setup.breaker.succeeded()
    assert setup.breaker.opened_at is None
    setup.breaker.failed(REFUSED)
    assert setup.breaker.opened_at == setup.now


def test_each_outage_is_announced_once(setup: Setup) -> None:
    for _ in range(3):
        setup.breaker.failed(REFUSED)
    assert setup.opened == 1
    setup.breaker.succeeded()
    setup.breaker.failed(REFUSED)
    assert setup.opened == 2


@pytest.mark.parametrize(
    ("method", "error", "is_open"),
    [
        ("GET", REFUSED, True),
        ("PUT", REFUSED, True),
        ("POST", UnauthorizedError("expired"), True),
        ("GET", UnauthorizedError("expired"), True),
        ("PUT", NotFoundError("no route"), False),
        ("PUT", GoneError("deleted"), False),
        ("PUT", ForbiddenError("of another namespace"), False),
        ("PUT", RateLimitedError("slower"), False),
        ("PUT", None, False),
    ],
)
def test_calls_without_an_answer_open_it(
    setup: Setup, method: str, error: SparkTestError | None, is_open: bool
) -> None:
    for _ in range(MAX_FAILURES - 1):
        setup.breaker.record(method, error)
        assert setup.breaker.error is None
    setup.breaker.record(method, error)
    assert (setup.breaker.error is not None) == is_open


def test_calls_that_fail_now_and_then_do_not_open_it(setup: Setup) -> None:
    for _ in range(MAX_FAILURES):
        setup.breaker.record("PUT", REFUSED)
        setup.breaker.record("PUT", None)
    assert setup.opened == 0


def test_reads_do_not_hide_that_writes_fail(setup: Setup) -> None:
    for _ in range(MAX_FAILURES):
        setup.breaker.record("PUT", REFUSED)
        setup.breaker.record("GET", None)
    assert setup.opened == 1


@pytest.mark.parametrize("error", [None, GoneError("deleted")], ids=["done", "gone"])
def test_a_write_that_is_answered_closes_it(setup: Setup, error: SparkTestError | None) -> None:
    setup.fail_writes()
    setup.breaker.defer(KEY)
    setup.breaker.record("PUT", error)
    assert setup.breaker.error is None
    assert setup.keys == [KEY]


@pytest.mark.parametrize("error", [ForbiddenError("no"), RateLimitedError("slower")], ids=str)
def test_an_answer_that_says_nothing_about_the_api_changes_nothing(
    setup: Setup, error: SparkTestError
) -> None:
    setup.breaker.failed(REFUSED)
    setup.breaker.record("GET", error)
    assert setup.breaker.error == "refused"


# --- reads are answered, writes are not ----------------------------------------------------------


def test_while_writes_fail_reads_do_not_close_it(setup: Setup) -> None:
    setup.fail_writes()
    setup.breaker.defer(KEY)
    setup.breaker.record("GET", None)
    assert setup.breaker.error == "refused"
    setup.breaker.record("PUT", None)
    assert setup.breaker.error is None


def test_it_closes_when_no_key_waits_that_could_try_a_write(setup: Setup) -> None:
    setup.fail_writes()
    setup.breaker.record("GET", None)
    assert setup.breaker.error is None


def test_while_writes_fail_one_deferred_key_at_a_time_tries_one(setup: Setup) -> None:
    setup.fail_writes()
    for key in (KEY, OTHER, THIRD):
        setup.breaker.defer(key)
    setup.breaker.record("GET", None)
    setup.breaker.record("GET", None)
    assert setup.keys == [KEY]
    assert setup.breaker.error_for(KEY) is None
    assert setup.breaker.error_for(OTHER) == "refused"
    setup.breaker.record("PUT", REFUSED)
    setup.now += TRIAL_INTERVAL
    setup.breaker.record("GET", None)
    assert setup.keys == [KEY, OTHER]
    assert setup.breaker.error_for(KEY) == "refused"
    setup.breaker.defer(KEY)
    setup.breaker.record("PUT", None)
    assert setup.keys == [KEY, OTHER, THIRD, KEY]
    assert setup.opened == 1


def test_a_trial_that_makes_no_write_is_followed_by_another(setup: Setup) -> None:
    setup.fail_writes()
    setup.breaker.defer(KEY)
    setup.breaker.defer(OTHER)
    for wanted in (KEY, OTHER):
        setup.breaker.record("GET", None)
        assert setup.breaker.error_for(wanted) is None
        setup.now += TRIAL_INTERVAL
    assert setup.breaker.error_for(KEY) == "refused"


def test_while_reads_fail_too_no_write_is_tried(setup: Setup) -> None:
    setup.fail_writes()
    setup.breaker.defer(KEY)
    setup.now += TRIAL_INTERVAL
    setup.breaker.record("GET", REFUSED)
    assert setup.keys == []
    assert setup.breaker.error_for(KEY) == "refused"


@pytest.mark.parametrize("error", [NotFoundError("no route"), ForbiddenError("no access")])
def test_what_a_proxy_may_have_refused_does_not_end_an_outage(setup: Setup, error: Any) -> None:
    setup.breaker.failed(REFUSED)
    setup.breaker.record("PUT", error)
    assert setup.breaker.error is not None
