"""Bulkhead: bounds the workers that call the API at once, so that some are left for the rest."""

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sparktest.controller.testruns import Key


class BulkheadFullError(Exception):
    """Error for a call that must wait; its key is queued when another call has ended."""


class Bulkhead:
    """Limits concurrent calls; a caller that finds no room does not wait, its key does.

    Threads may share it.

    Args:
        max_concurrent_calls: below the number of workers.
        on_key: called with a key that may try again.
        priority: returns the priority of the key that a worker has, highest first.
    """

    def __init__(
        self,
        max_concurrent_calls: int,
        *,
        on_key: Callable[[Key], None],
        priority: Callable[[Key], int],
    ) -> None:
        self._free = max_concurrent_calls
        self._on_key = on_key
        self._priority = priority
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, int, Key]] = []
        self._serial = 0

    @contextmanager
    def call(self, key: Key) -> Iterator[None]:
        """Count the block as a call of the worker that has the key.

        Raises:
            BulkheadFullError: there are as many calls as there may be.
        """
        with self._lock:
            if not self._free:
                self._serial += 1  # keys of the same priority in the order in which they came
                heapq.heappush(self._waiting, (-self._priority(key), self._serial, key))
                raise BulkheadFullError
            self._free -= 1
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
            self.wake()

    def wake(self) -> None:
        """Queue as many of the waiting keys as could call now.

        To be called after each reconcile, too: a key that was queued may need no call any more.
        """
        with self._lock:
            keys = [
                heapq.heappop(self._waiting)[2] for _ in range(min(self._free, len(self._waiting)))
            ]
        for key in keys:
            self._on_key(key)
