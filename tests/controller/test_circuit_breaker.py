from datetime import timedelta

import pytest

from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.testruns import Key
from sparktest.errors import UnavailableError
from tests.controller.objects import NOW

KEY = ("tests", "a")


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

    def fail(self, detail: str = "refused") -> None:
        self.breaker.failed(UnavailableError(detail))


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_a_deferred_key_is_queued_once_when_the_api_is_back(setup: Setup) -> None:
    setup.fail()
    setup.breaker.defer(KEY)
    setup.breaker.defer(KEY)
    setup.fail()
    assert setup.keys == []
    setup.breaker.succeeded()
    setup.breaker.succeeded()
    assert setup.keys == [KEY]
    assert setup.breaker.error is None


def test_a_key_is_queued_at_once_while_the_api_answers(setup: Setup) -> None:
    setup.breaker.defer(KEY)
    assert setup.keys == [KEY]


def test_an_outage_begins_at_its_first_failure_and_shows_the_last(setup: Setup) -> None:
    setup.fail()
    setup.now += timedelta(seconds=60)
    setup.fail("timed out")
    assert (setup.breaker.error, setup.breaker.opened_at) == ("timed out", NOW)
    setup.breaker.succeeded()
    assert setup.breaker.opened_at is None
    setup.fail()
    assert setup.breaker.opened_at == setup.now


def test_each_outage_is_announced_once(setup: Setup) -> None:
    for _ in range(3):
        setup.fail()
    assert setup.opened == 1
    setup.breaker.succeeded()
    setup.fail()
    assert setup.opened == 2
