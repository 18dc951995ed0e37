"""A control loop: keys in, each handled in turn, some again later."""

import heapq
import logging
import math
import threading
from collections.abc import Callable

from sparktest.devcluster.clock import Clock

LOG = logging.getLogger(__name__)
RETRY_SECONDS = 1.0

Key = tuple[str, str, str]


class Loop:
    """One thread that calls `handle(key)` for every key added; no key waits twice.

    What `handle` returns is in how many seconds to call it again, None for not at all.
    """

    def __init__(self, name: str, handle: Callable[[Key], float | None], clock: Clock) -> None:
        self._handle = handle
        self._clock = clock
        self._due: dict[Key, None] = {}
        self._later: list[tuple[float, Key]] = []
        self._times: dict[Key, float] = {}
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to handle keys."""
        self._thread.start()

    def stop(self) -> None:
        """Handle no further key; the one under way is finished."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def add(self, key: Key) -> None:
        """Have a key handled, soon."""
        with self._changed:
            self._due[key] = None
            self._changed.notify()

    def add_after(self, key: Key, seconds: float) -> None:
        """Have a key handled, later; if it was to be anyway, then at the earlier time."""
        with self._changed:
            at = self._clock.time() + seconds
            if at < self._times.get(key, math.inf):
                self._times[key] = at
                heapq.heappush(self._later, (at, key))
                self._changed.notify()

    def _next(self) -> Key | None:
        with self._changed:
            while not self._stopped:
                now = self._clock.time()
                while self._later and self._later[0][0] <= now:
                    at, key = heapq.heappop(self._later)
                    if self._times.get(key) == at:
                        del self._times[key]
                        self._due[key] = None
                if self._due:
                    key = next(iter(self._due))
                    del self._due[key]
                    return key
                self._changed.wait(self._later[0][0] - now if self._later else None)
        return None

    def _run(self) -> None:
        while (key := self._next()) is not None:
            try:
                again = self._handle(key)
            except Exception:  # the top of the loop: one key must not end it
                LOG.exception("control loop failed key=%s", "/".join(key))
                again = RETRY_SECONDS
            if again is not None:
                self.add_after(key, again)
