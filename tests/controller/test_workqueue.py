import random
import threading
import time
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sparktest.controller.workqueue import BACKOFF, LOW_PRIORITY, NORMAL_PRIORITY, WorkQueue
from tests.e2e.program import until

KEYS = st.sampled_from("abcd")
PRIORITIES = st.sampled_from([NORMAL_PRIORITY, LOW_PRIORITY])


class Model(RuleBasedStateMachine):
    """The queue beside a simple model of it; its methods are called in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue: WorkQueue[str] = WorkQueue(clock=lambda: self.now)
        # Priorities.
        self.wanted: dict[str, int] = {}
        self.working: dict[str, int] = {}
        # When, and the priority.
        self.due: dict[str, tuple[float, int]] = {}
        self.failures: Counter[str] = Counter()

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key: str, priority: int) -> None:
        self.queue.add(key, priority)
        self._want_now(key, priority)

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
        for key in [key for key, (due, _) in self.due.items() if due <= self.now]:
            self._want_now(key, self.due.pop(key)[1])

    @precondition(lambda self: self.wanted.keys() - self.working)
    @rule()
    def get(self) -> None:
        key = self.queue.get()
        assert key is not None
        free = {key: self.wanted[key] for key in self.wanted.keys() - self.working}
        assert free[key] == max(free.values())
        self.working[key] = self.wanted.pop(key)
        assert self.queue.priority(key) == self.working[key]

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def clear(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.clear(key)
        self.wanted.pop(key, None)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        del self.working[key]

    @invariant()
    def waiting_keys_are_those_that_no_worker_has(self) -> None:
        assert len(self.queue) == len(self.wanted.keys() - self.working)

    def _want(self, key: str, seconds: float) -> None:
        priority = self.working.get(key, NORMAL_PRIORITY)
        if seconds <= 0:
            self._want_now(key, priority)
        elif key not in self.due or self.now + seconds < self.due[key][0]:
            self.due[key] = (self.now + seconds, priority)

    def _want_now(self, key: str, priority: int) -> None:
        self.wanted[key] = max(self.wanted.get(key, priority), priority)


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


def test_a_backlog_does_not_delay_what_changes_now(queue: WorkQueue[int]) -> None:
    for key in range(10_000):
        queue.add(key, LOW_PRIORITY)
    queue.add(-1)
    queue.add(9_000)
    assert [queue.get() for _ in range(4)] == [-1, 9_000, 0, 1]
    assert len(queue) == 9_997


def test_a_key_of_the_backlog_keeps_its_priority_when_it_is_retried(queue: WorkQueue[int]) -> None:
    queue.add(1, LOW_PRIORITY)
    assert queue.get() == 1
    queue.add_after(1, 0)
    queue.done(1)
    queue.add(2)
    assert [queue.get(), queue.get()] == [2, 1]


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
    worker.join(60)
    assert got == [2]


def test_every_key_is_returned_when_it_is_due_while_many_workers_wait(
    queue: WorkQueue[int],
) -> None:
    got: list[int | None] = []
    queue.add_after(0, 60)
    workers = [threading.Thread(target=lambda: got.append(queue.get())) for _ in range(6)]
    for worker in workers:
        worker.start()
    queue.add_after(1, 0.2)
    queue.add_after(2, 0.1)
    queue.add(3)
    queue.add_after(4, 0.05)
    queue.add_after(5, 0.2)
    queue.add_after(6, 0.15)
    for worker in workers:
        worker.join(30)
    assert sorted(key or 0 for key in got) == [1, 2, 3, 4, 5, 6]


def test_a_key_that_is_cleared_by_its_worker_is_not_returned_again(queue: WorkQueue[int]) -> None:
    queue.add(1)
    queue.add(2)
    assert queue.get() == 1
    queue.add(1)
    queue.clear(1)
    queue.clear(2)
    queue.done(1)
    assert queue.get() == 2
    assert len(queue) == 0


def test_close_ends_every_get_and_nothing_is_added_afterwards(queue: WorkQueue[int]) -> None:
    got: list[int | None] = []
    workers = [threading.Thread(target=lambda: got.append(queue.get())) for _ in range(3)]
    for worker in workers:
        worker.start()
    queue.close()
    for worker in workers:
        worker.join(60)
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
    until("the latest value of each key was seen", lambda: seen == latest)
    queue.close()
    for worker in workers:
        worker.join(60)
    assert shared == []
