import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from sparktest.backoff import Backoff
from sparktest.controller import workqueue
from sparktest.controller.steps import LostRaceError
from sparktest.controller.testruns import Key
from sparktest.controller.workers import Workers
from sparktest.controller.workqueue import WorkQueue
from sparktest.errors import UnavailableError
from tests.e2e.program import until

Reconcile = Callable[[Key], None]


def key(name: str) -> Key:
    return ("tests", name)


def soon(what: str, check: Callable[[], object]) -> None:
    until(what, check, every=0.005)


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workqueue, "BACKOFF", Backoff(first=0.001, cap=0.001))


@pytest.fixture
def queue() -> WorkQueue[Key]:
    return WorkQueue()


@pytest.fixture
def started(queue: WorkQueue[Key]) -> Iterator[Callable[[Reconcile], Workers]]:
    """Start two workers, which have to end with the test."""
    made: list[Workers] = []

    def start(reconcile: Reconcile) -> Workers:
        workers = Workers(queue, reconcile, 2)
        workers.start()
        made.append(workers)
        return workers

    yield start
    for workers in made:
        assert workers.drain(5)


def test_every_key_is_reconciled(
    queue: WorkQueue[Key], started: Callable[[Reconcile], Workers]
) -> None:
    done: set[Key] = set()
    started(done.add)
    wanted = {key(str(number)) for number in range(50)}
    for one in wanted:
        queue.add(one)
    soon("all are done", lambda: done == wanted)


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (LostRaceError("it has changed"), logging.INFO),
        (UnavailableError("unreachable"), logging.WARNING),
        (ValueError("a bug"), logging.ERROR),
    ],
)
def test_a_key_that_fails_is_retried_until_it_succeeds(
    queue: WorkQueue[Key],
    started: Callable[[Reconcile], Workers],
    error: Exception,
    level: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    outcomes = [error, error, None]
    done = threading.Event()

    def reconcile(_: Key) -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        done.set()

    started(reconcile)
    queue.add(key("a"))
    assert done.wait(60)
    assert [record.levelno for record in caplog.records] == [level, level]


def test_retry_after_is_respected(
    queue: WorkQueue[Key], started: Callable[[Reconcile], Workers]
) -> None:
    def reconcile(_: Key) -> None:
        raise UnavailableError("unreachable", retry_after=600)

    started(reconcile)
    queue.add(key("a"))
    soon("it waits", lambda: queue._due)
    (due,) = queue._due.values()
    assert due > queue._clock() + 500


def test_a_success_resets_the_back_off(
    queue: WorkQueue[Key], started: Callable[[Reconcile], Workers]
) -> None:
    outcomes = [UnavailableError("unreachable"), None]
    done = threading.Event()

    def reconcile(_: Key) -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        done.set()

    workers = started(reconcile)
    queue.add(key("a"))
    assert done.wait(60)
    assert workers.drain(5)
    assert queue._failures == {}


def test_drain_waits_for_keys_under_way_and_starts_no_more(queue: WorkQueue[Key]) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def reconcile(one: Key) -> None:
        begun.set()
        go_on.wait(60)
        done.append(one)

    workers = Workers(queue, reconcile, 1)
    workers.start()
    queue.add(key("a"))
    queue.add(key("b"))
    assert begun.wait(60)
    assert not workers.drain(0)
    go_on.set()
    assert workers.drain(5)
    assert done == [key("a")]
