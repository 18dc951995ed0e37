import random
import threading
import time
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sparktest.controller.workqueue import BACKOFF, WorkQueue
from tests.e2e.program import until

KEYS = st.sampled_from("abcd")


class Model(RuleBasedStateMachine):
    """The queue beside a simple model of it; its methods are called in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue: WorkQueue[str] = WorkQueue(clock=lambda: self.now)
        self.wanted: set[str] = set()
        self.working: set[str] = set()
        self.due: dict[str, float] = {}
        self.failures: Counter[str] = Counter()

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.wanted.add(key)

    @rule(key=KEYS, seconds=st.sampled_from([-1.0, 0.0, 0.5, 2.0, 2.0, 60.0]))
    def add_after(self, key: str, seconds: float) -> None:
        self.queue.add_after(key, seconds)
        self._want(key, seconds)

    @rule(key=KEYS, at_least=st.sampled_from([0.0, 7.0]))
    def retry(self, key: str, at_least: float) -> None:
        seconds = self.queue.retry(key, at_least=at_least)
        step = min(BACKOFF.first * 2 ** self.failures[key], BACKOFF.cap)
        assert max(step / 2, at_least) <= seconds <= max(step, at_least)
        self.failures[key] += 1
        self._want(key, seconds)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.failures[key] = 0

    @rule(seconds=st.sampled_from([0.1, 1.0, 100.0]))
    def advance_time(self, seconds: float) -> None:
        self.now += seconds
        for key in [key for key, due in self.due.items() if due <= self.now]:
            del self.due[key]
            self.wanted.add(key)

    @precondition(lambda self: self.wanted - self.working)
    @rule()
    def get(self) -> None:
        key = self.queue.get()
        assert key in self.wanted - self.working
        self.wanted.discard(key)
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.discard(key)

    @invariant()
    def waiting_keys_are_those_that_no_worker_has(self) -> None:
        assert len(self.queue) == len(self.wanted - self.working)

    def _want(self, key: str, seconds: float) -> None:
        if seconds <= 0:
            self.wanted.add(key)
        else:
            self.due[key] = min(self.now + seconds, self.due.get(key, float("inf")))


TestAgainstTheModel = Model.TestCase
TestAgainstTheModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.fixture
def queue() -> WorkQueue[int]:
    return WorkQueue()


def test_keys_are_returned_in_the_order_they_were_added(queue: WorkQueue[int]) -> None:
    for key in (3, 1, 2, 1, 3):
        queue.add(key)
    assert [queue.get(), queue.get(), queue.get()] == [3, 1, 2]
    assert len(queue) == 0


def test_a_key_that_is_added_while_a_worker_has_it_is_returned_once_more(
    queue: WorkQueue[int],
) -> None:
    queue.add(1)
    assert queue.get() == 1
    queue.add(1)
    queue.add(1)
    assert len(queue) == 0
    queue.done(1)
    assert queue.get() == 1
    queue.done(1)
    assert len(queue) == 0


def test_a_waiting_worker_gets_a_key_when_it_is_due(queue: WorkQueue[int]) -> None:
    began = time.monotonic()
    queue.add_after(1, 30)
    queue.add_after(2, 0.05)
    assert queue.get() == 2
    assert 0.05 <= time.monotonic() - began < 5


def test_a_worker_that_waits_for_a_later_key_gets_an_earlier_one(queue: WorkQueue[int]) -> None:
    got: list[int | None] = []
    queue.add_after(1, 60)
    worker = threading.Thread(target=lambda: got.append(queue.get()))
    worker.start()
    queue.add_after(2, 0.01)
    worker.join(5)
    assert got == [2]


def test_close_ends_every_get_and_nothing_is_added_afterwards(queue: WorkQueue[int]) -> None:
    got: list[int | None] = []
    workers = [threading.Thread(target=lambda: got.append(queue.get())) for _ in range(3)]
    for worker in workers:
        worker.start()
    queue.close()
    for worker in workers:
        worker.join(5)
    queue.add(1)
    queue.add_after(1, 0.001)
    assert got == [None, None, None]
    assert queue.get() is None
    assert len(queue) == 0


def test_keys_that_are_queued_at_close_are_not_returned(queue: WorkQueue[int]) -> None:
    queue.add(1)
    queue.add(2)
    assert queue.get() == 1
    queue.add(1)
    queue.close()
    queue.done(1)
    assert queue.get() is None


def test_many_workers_never_share_a_key_and_lose_none(queue: WorkQueue[int]) -> None:
    keys, rounds = range(7), 300
    busy = {key: threading.Lock() for key in keys}
    shared, seen, latest = [], dict.fromkeys(keys, 0), dict.fromkeys(keys, 0)

    def work() -> None:
        while (key := queue.get()) is not None:
            if not busy[key].acquire(blocking=False):
                shared.append(key)
                continue
            seen[key] = latest[key]
            busy[key].release()
            queue.done(key)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    rng = random.Random(7)
    for number in range(1, rounds + 1):
        key = rng.choice(keys)
        latest[key] = number
        (queue.add if number % 3 else lambda key: queue.add_after(key, 0.001))(key)
    until("the latest value of each key was seen", lambda: seen == latest, seconds=5)
    queue.close()
    for worker in workers:
        worker.join(5)
    assert shared == []
