"""WorkQueue: keys to work on, each at most once and never two workers on the same."""

import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sparktest.backoff import Backoff

K = TypeVar("K", bound=Hashable)
# A conflict is tried again at once; a cluster or API that is away, twice a minute.
RETRY = Backoff(first=0.05, cap=30.0)


class WorkQueue(Generic[K]):
    """A queue without duplicates; all methods may be called by any thread.

    A key that is added while a worker has it waits until that worker calls `done`, and is then
    given out once more, however often it was added.

    Args:
        clock: monotonic seconds.
        rng: gives the jitter of `retry`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._changed = threading.Condition()
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._working: set[K] = set()
        self._due: dict[K, float] = {}
        self._later: list[tuple[float, int, K]] = []
        self._serial = 0
        self._failures: dict[K, int] = {}
        self._closed = False

    def __len__(self) -> int:
        """The number of keys that wait for a worker now."""
        with self._changed:
            self._promote()
            return len(self._ready)

    def add(self, key: K) -> None:
        """Have the key worked on."""
        with self._changed:
            self._add(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have the key worked on in that time; of several times the earliest holds."""
        with self._changed:
            if seconds <= 0:
                self._add(key)
                return
            due = self._clock() + seconds
            if self._closed or due >= self._due.get(key, float("inf")):
                return
            self._due[key] = due
            self._serial += 1  # keys need no order of their own
            heapq.heappush(self._later, (due, self._serial, key))
            self._changed.notify()

    def get(self) -> K | None:
        """The next key, waiting for one; None once the queue is closed.

        The caller has the key to itself until it calls `done`.
        """
        with self._changed:
            while not self._closed:
                wait = self._promote()
                if self._ready:
                    key = self._ready.popleft()
                    self._dirty.discard(key)
                    self._working.add(key)
                    return key
                self._changed.wait(wait)
            return None

    def done(self, key: K) -> None:
        """Give the key back; if it was added meanwhile it is next in line again."""
        with self._changed:
            self._working.discard(key)
            if key in self._dirty:
                self._ready.append(key)
                self._changed.notify()

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Have the key worked on again after its back-off; returns the seconds until then.

        `at_least` is what the other side asked to wait (Retry-After).
        """
        with self._changed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            seconds = max(RETRY.delay(failures, self._rng), at_least)
            self.add_after(key, seconds)
            return seconds

    def forget(self, key: K) -> None:
        """The key went well: its next back-off starts small again."""
        with self._changed:
            self._failures.pop(key, None)

    def close(self) -> None:
        """Give out no more keys; every `get` answers None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, key: K) -> None:
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._ready.append(key)
            self._changed.notify()

    def _promote(self) -> float | None:
        """Move what is due to the ready keys; the seconds until the next is, None for none."""
        now = self._clock()
        while self._later:
            due, _, key = self._later[0]
            if due > now:
                return due - now
            heapq.heappop(self._later)
            if self._due.get(key) == due:  # else an earlier time replaced this one
                del self._due[key]
                self._add(key)
        return None
