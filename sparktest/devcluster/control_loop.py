"""A control loop: a thread that handles the keys of a delaying work queue."""

import heapq
import logging
import math
import threading
from collections.abc import Callable

from sparktest.devcluster.clock import Clock

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 1.0
# A longer timeout can overflow the system's time type.
MAX_WAIT_SECONDS = 3600.0

Key = tuple[str, str, str]


class ControlLoop:
    """Calls `handle(key)` for each queued key, in one thread; a key is queued at most once.

    `handle` returns the seconds after which the key is queued again, or None.
    """

    def __init__(self, name: str, handle: Callable[[Key], float | None], clock: Clock) -> None:
        self._handle = handle
        self._clock = clock
        self._queue: dict[Key, None] = {}
        self._delayed: list[tuple[float, Key]] = []
        self._times: dict[Key, float] = {}
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current key, then stop."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def add(self, key: Key) -> None:
        """Queue a key."""
        with self._changed:
            self._queue[key] = None
            self._changed.notify()

    def add_after(self, key: Key, seconds: float) -> None:
        """Queue a key after a delay; of several delays of a key, the first to end counts."""
        with self._changed:
            at = self._clock.time() + seconds
            if at < self._times.get(key, math.inf):
                self._times[key] = at
                heapq.heappush(self._delayed, (at, key))
                self._changed.notify()

    def _next(self) -> Key | None:
        with self._changed:
            while not self._stopped:
                now = self._clock.time()
                while self._delayed and self._delayed[0][0] <= now:
                    at, key = heapq.heappop(self._delayed)
                    if self._times.get(key) == at:
                        del self._times[key]
                        self._queue[key] = None
                if self._queue:
                    key = next(iter(self._queue))
                    del self._queue[key]
                    return key
                delay = self._delayed[0][0] - now if self._delayed else MAX_WAIT_SECONDS
                self._changed.wait(min(delay, MAX_WAIT_SECONDS))
        return None

    def _run(self) -> None:
        while (key := self._next()) is not None:
            try:
                again = self._handle(key)
            except Exception:  # top of the thread: one key must not stop the others
                LOG.exception("control loop failed key=%s", "/".join(key))
                again = RETRY_SECONDS
            if again is not None:
                self.add_after(key, again)
