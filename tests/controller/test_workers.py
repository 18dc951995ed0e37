"""Workers take keys from the queue until they are told to stop, whatever the work raises."""

import threading
from collections.abc import Callable, Iterator

import pytest

from sparktest.backoff import Backoff
from sparktest.controller import workqueue
from sparktest.controller.testruns import Key
from sparktest.controller.workers import Workers
from sparktest.controller.workqueue import WorkQueue
from sparktest.errors import UnavailableError
from tests.e2e.program import until

Work = Callable[[Key], None]


def key(name: str) -> Key:
    return ("tests", name)


def soon(what: str, check: Callable[[], object]) -> None:
    until(what, check, seconds=5, every=0.005)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workqueue, "RETRY", Backoff(first=0.001, cap=0.001))


@pytest.fixture
def queue() -> WorkQueue[Key]:
    return WorkQueue()


@pytest.fixture
def working(queue: WorkQueue[Key]) -> Iterator[Callable[[Work], Workers]]:
    """Starts two workers, which have to end with the test."""
    made: list[Workers] = []

    def start(work: Work) -> Workers:
        workers = Workers(queue, work, 2)
        workers.start()
        made.append(workers)
        return workers

    yield start
    for workers in made:
        assert workers.drain(5)


def test_every_key_is_worked_on(queue: WorkQueue[Key], working: Callable[[Work], Workers]) -> None:
    done: set[Key] = set()
    workers = working(done.add)
    wanted = {key(str(number)) for number in range(50)}
    for one in wanted:
        queue.add(one)
    soon("all are done", lambda: done == wanted)
    assert (workers.failed, workers.broken) == (0, 0)


@pytest.mark.parametrize(
    ("error", "counts"), [(UnavailableError("away"), (2, 0)), (ValueError("a bug"), (0, 2))]
)
def test_a_key_that_fails_is_tried_again_until_it_goes_well(
    queue: WorkQueue[Key],
    working: Callable[[Work], Workers],
    error: Exception,
    counts: tuple[int, int],
) -> None:
    outcomes = [error, error, None]
    done = threading.Event()

    def work(_: Key) -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        done.set()

    workers = working(work)
    queue.add(key("a"))
    assert done.wait(5)
    assert (workers.failed, workers.broken) == counts


def test_the_wait_that_the_other_side_asked_for_is_kept(
    queue: WorkQueue[Key], working: Callable[[Work], Workers]
) -> None:
    def work(_: Key) -> None:
        raise UnavailableError("away", retry_after=600)

    workers = working(work)
    queue.add(key("a"))
    soon("it failed", lambda: workers.failed)
    soon("it waits", lambda: queue._due)
    (due,) = queue._due.values()
    assert due > queue._clock() + 500
    assert workers.failed == 1


def test_a_success_makes_the_next_wait_short_again(
    queue: WorkQueue[Key], working: Callable[[Work], Workers]
) -> None:
    outcomes = [UnavailableError("away"), None]
    done = threading.Event()

    def work(_: Key) -> None:
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        done.set()

    workers = working(work)
    queue.add(key("a"))
    assert done.wait(5)
    assert workers.drain(5)
    assert queue._failures == {}


def test_a_drain_waits_for_what_is_at_work_and_begins_no_more(queue: WorkQueue[Key]) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work(one: Key) -> None:
        begun.set()
        go_on.wait(5)
        done.append(one)

    workers = Workers(queue, work, 1)
    workers.start()
    queue.add(key("a"))
    queue.add(key("b"))
    assert begun.wait(5)
    assert not workers.drain(0)
    go_on.set()
    assert workers.drain(5)
    assert done == [key("a")]
