"""Limit how often each of many clients may do something (GCRA, a leaky bucket). Pure."""

import threading

MAX_KEYS = 10_000


class RateLimit:
    """At most `limit` events of a key in any row, then one more each `seconds / limit`.

    It keeps at most MAX_KEYS keys. Its state is that of one process.

    Args:
        limit: at least 1.
        seconds: in which `limit` events are used up and free again.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._interval = seconds / limit
        self._burst = seconds
        self._lock = threading.Lock()
        # For each key, when its events will all be free again.
        self._free_at: dict[str, float] = {}

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until the key may have another event; 0 if it may now.

        Args:
            key: of a client.
            now: seconds of a monotonic clock.
        """
        free_at = self._free_at.get(key, now)
        # Less than half a millisecond is a rounding error.
        left = free_at + self._interval - self._burst - now
        return left if left > 0.0005 else 0.0

    def count(self, key: str, now: float) -> None:
        """Count an event of the key, allowed or not."""
        with self._lock:
            if len(self._free_at) >= MAX_KEYS and key not in self._free_at:
                self._free_at = {each: at for each, at in self._free_at.items() if at > now}
            if len(self._free_at) >= MAX_KEYS:
                self._free_at.clear()
            self._free_at[key] = max(self._free_at.get(key, now), now) + self._interval

    def acquire(self, key: str, now: float) -> float:
        """Return what `wait` does, and count an event that is allowed."""
        left = self.wait(key, now)
        if not left:
            self.count(key, now)
        return left
