"""WorkQueue: the keys to reconcile, each queued at most once and given to one worker at a time."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry

from sparktest.backoff import Backoff
from sparktest.controller.queue_metrics import QueueMetrics

K = TypeVar("K", bound=Hashable)
# Retry a conflict at once, and an unreachable cluster or API twice a minute.
BACKOFF = Backoff(first=0.05, cap=30.0)
# As in controller-runtime: what comes from an initial list or a sweep is a backlog, which must not
# delay what changes now.
NORMAL_PRIORITY = 0
LOW_PRIORITY = -100


class WorkQueue(Generic[K]):
    """A queue without duplicates, like controller-runtime's; any thread may call its methods.

    A key that is added while a worker has it is returned once more after the worker calls `done`.
    Keys of normal priority are returned before those of low priority, and keys of the same
    priority in the order in which they were added. Of several priorities the highest counts, and
    a delayed key keeps the one that it has while a worker has it.

    Args:
        clock: returns monotonic seconds.
        metrics: count the keys and their times; default: for this queue alone.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, metrics: QueueMetrics[K] | None = None
    ) -> None:
        self._clock = clock
        self._metrics: QueueMetrics[K] = metrics or QueueMetrics(CollectorRegistry(), clock)
        self._changed = threading.Condition()
        # Entries that `_dirty` does not confirm are stale: their key got a higher priority.
        self._ready: dict[int, deque[K]] = {NORMAL_PRIORITY: deque(), LOW_PRIORITY: deque()}
        # The keys to return, and those that workers have, with their priorities.
        self._dirty: dict[K, int] = {}
        self._working: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._later: list[tuple[float, int, K, int]] = []
        self._serial = 0
        # The time that a worker waits for.
        self._timed_until = float("inf")
        self._failures: dict[K, int] = {}
        self._closed = False

    def __len__(self) -> int:
        """Return the number of keys that wait for a worker now."""
        with self._changed:
            self._promote()
            return self._count()

    def add(self, key: K, priority: int = NORMAL_PRIORITY) -> None:
        """Add the key now."""
        with self._changed:
            self._add(key, priority)

    def priority(self, key: K) -> int:
        """Return the priority with which a worker got the key that it has."""
        with self._changed:
            return self._working.get(key, NORMAL_PRIORITY)

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key after this time; if called repeatedly, the earliest time counts."""
        with self._changed:
            priority = self._working.get(key, NORMAL_PRIORITY)
            if seconds <= 0:
                self._add(key, priority)
                return
            due = self._clock() + seconds
            if self._closed or due >= self._due.get(key, float("inf")):
                return
            self._due[key] = due
            self._serial += 1  # orders equal times: keys need not be comparable
            heapq.heappush(self._later, (due, self._serial, key, priority))
            if self._later[0][1] == self._serial:
                self._changed.notify()

    def get(self) -> K | None:
        """Wait for a key and return it; return None when the queue is closed.

        No other caller gets the same key before `done` is called.
        """
        with self._changed:
            while not self._closed:
                seconds = self._promote()
                if self._count():
                    if self._later and self._timed_until == float("inf"):
                        self._changed.notify()  # another worker waits for the next time
                    return self._pop()
                self._wait(seconds)
            return None

    def clear(self, key: K) -> None:
        """Forget that the key was added: its worker is about to read the whole state anew."""
        with self._changed:
            if key in self._working and self._dirty.pop(key, None) is not None:
                self._metrics.cleared(key)

    def done(self, key: K) -> None:
        """Release the key; queue it again if it was added meanwhile."""
        with self._changed:
            self._working.pop(key, None)
            self._metrics.done(key)
            if key in self._dirty:
                self._ready[self._dirty[key]].append(key)
                self._changed.notify()

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Add the key after its back-off, at least after `at_least` seconds; return the delay."""
        with self._changed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            self._metrics.retried()
            seconds = max(BACKOFF.delay(failures), at_least)
            self.add_after(key, seconds)
            return seconds

    def forget(self, key: K) -> None:
        """Reset the back-off of a key that succeeded."""
        with self._changed:
            self._failures.pop(key, None)

    def close(self) -> None:
        """Close the queue: every `get` returns None, and no key is added."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, seconds: float | None) -> None:
        """Wait for a change; one worker also waits for the next time, which would wake all."""
        due = self._later[0][0] if self._later else float("inf")
        if seconds is None or self._timed_until <= due:
            self._changed.wait()
            return
        self._timed_until = due
        try:
            self._changed.wait(seconds)
        finally:
            self._timed_until = float("inf")

    def _count(self) -> int:
        return len(self._dirty) - sum(key in self._dirty for key in self._working)

    def _pop(self) -> K:
        """Give the first key of the highest priority to a worker; there must be one."""
        while True:
            ready = self._ready[NORMAL_PRIORITY] or self._ready[LOW_PRIORITY]
            key = ready.popleft()
            priority = self._dirty.get(key)
            if priority is not None and ready is self._ready[priority] and key not in self._working:
                self._working[key] = self._dirty.pop(key)
                self._metrics.taken(key)
                return key

    def _add(self, key: K, priority: int) -> None:
        if self._closed or self._dirty.get(key, float("-inf")) >= priority:
            return
        if key not in self._dirty:
            self._metrics.added(key)
        self._dirty[key] = priority
        if key not in self._working:
            self._ready[priority].append(key)
            self._changed.notify()

    def _promote(self) -> float | None:
        """Queue the keys that are due; return the seconds until the next one, or None."""
        now = self._clock()
        while self._later:
            due, _, key, priority = self._later[0]
            if due > now:
                return due - now
            heapq.heappop(self._later)
            if self._due.get(key) == due:  # else an earlier time replaced this one
                del self._due[key]
                self._add(key, priority)
        return None
