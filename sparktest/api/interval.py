"""Decide whether something that is repeated often is due again, for each of many keys."""

import threading

MAX_KEYS = 1000


class Interval:
    """The time before which each key is not due again; it keeps at most MAX_KEYS keys.

    Args:
        seconds: between two times that a key is due.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}

    def is_due(self, key: str, now: float) -> bool:
        """Return True when the key was not due for that long, which begins again then.

        Args:
            key: of anything.
            now: seconds of a monotonic clock.
        """
        with self._lock:
            if now < self._next.get(key, now):
                return False
            if len(self._next) >= MAX_KEYS:
                # Keys that are due are as good as unknown ones.
                self._next = {each: at for each, at in self._next.items() if at > now}
            if len(self._next) >= MAX_KEYS:
                self._next.clear()
            self._next[key] = now + self._seconds
            return True
