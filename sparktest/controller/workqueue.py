"""WorkQueue: the keys to reconcile, each queued at most once and given to one worker at a time."""

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sparktest.backoff import Backoff

K = TypeVar("K", bound=Hashable)
# Retry a conflict at once, and an unreachable cluster or API twice a minute.
BACKOFF = Backoff(first=0.05, cap=30.0)


class WorkQueue(Generic[K]):
    """A queue without duplicates, like client-go's; all methods may be called by any thread.

    A key that is added while a worker has it is returned once more after the worker calls `done`.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
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
        """Return the number of keys that wait for a worker now."""
        with self._changed:
            self._promote()
            return len(self._ready)

    def add(self, key: K) -> None:
        """Add the key now."""
        with self._changed:
            self._add(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Add the key after this time; if called repeatedly, the earliest time counts."""
        with self._changed:
            if seconds <= 0:
                self._add(key)
                return
            due = self._clock() + seconds
            if self._closed or due >= self._due.get(key, float("inf")):
                return
            self._due[key] = due
            self._serial += 1  # orders equal times: keys need not be comparable
            heapq.heappush(self._later, (due, self._serial, key))
            self._changed.notify()

    def get(self) -> K | None:
        """Wait for a key and return it; return None when the queue is closed.

        No other caller gets the same key before `done` is called.
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
        """Release the key; queue it again if it was added meanwhile."""
        with self._changed:
            self._working.discard(key)
            if key in self._dirty:
                self._ready.append(key)
                self._changed.notify()

    def retry(self, key: K, *, at_least: float = 0.0) -> float:
        """Add the key after its back-off, at least after `at_least` seconds; return the delay."""
        with self._changed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
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

    def _add(self, key: K) -> None:
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._ready.append(key)
            self._changed.notify()

    def _promote(self) -> float | None:
        """Queue the keys that are due; return the seconds until the next one, or None."""
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
