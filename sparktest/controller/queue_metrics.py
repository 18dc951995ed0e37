"""QueueMetrics: how long keys wait for a worker and how long workers have them, as in client-go."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

K = TypeVar("K", bound=Hashable)
# What controller-runtime calls a controller: the kind of its objects.
CONTROLLER = "testrun"
SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class QueueMetrics(Generic[K]):
    """The times of the keys of a queue, which calls the methods under its own lock.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._added_at: dict[K, float] = {}
        self._taken_at: dict[K, float] = {}
        self._last_taken_at = clock()

        def counter(name: str, text: str) -> Counter:
            made = Counter(name, text, ["name", "controller"], registry=registry)
            return made.labels(CONTROLLER, CONTROLLER)

        def gauge(name: str, text: str, read: Callable[[], float]) -> None:
            made = Gauge(name, text, ["name", "controller"], registry=registry)
            made.labels(CONTROLLER, CONTROLLER).set_function(read)

        def histogram(name: str, text: str) -> Histogram:
            labels = ["name", "controller"]
            made = Histogram(name, text, labels, registry=registry, buckets=SECONDS)
            return made.labels(CONTROLLER, CONTROLLER)

        self._adds = counter("workqueue_adds", "Keys that were added.")
        self._retries = counter("workqueue_retries", "Keys that were added again after an error.")
        self._queue_seconds = histogram(
            "workqueue_queue_duration_seconds", "How long a key waits for a worker."
        )
        self._work_seconds = histogram(
            "workqueue_work_duration_seconds", "How long a worker has a key."
        )
        gauge("workqueue_depth", "Keys that wait for a worker.", lambda: len(self._added_at))
        gauge(
            "workqueue_unfinished_work_seconds",
            "Sum of the times that workers have had their present keys.",
            lambda: sum(self._running()),
        )
        gauge(
            "workqueue_longest_running_processor_seconds",
            "How long the slowest worker has had its key.",
            self.longest_running_seconds,
        )

    def added(self, key: K) -> None:
        """Count a key that was not queued before."""
        self._adds.inc()
        self._added_at.setdefault(key, self._clock())

    def taken(self, key: K) -> None:
        """Count a key that a worker got."""
        now = self._last_taken_at = self._clock()
        self._queue_seconds.observe(now - self._added_at.pop(key, now))
        self._taken_at[key] = now

    def cleared(self, key: K) -> None:
        """Drop a key that is not queued after all."""
        self._added_at.pop(key, None)

    def done(self, key: K) -> None:
        """Count a key with which a worker is done."""
        taken_at = self._taken_at.pop(key, None)
        if taken_at is not None:
            self._work_seconds.observe(self._clock() - taken_at)

    def retried(self) -> None:
        """Count a retry."""
        self._retries.inc()

    def active(self) -> int:
        """Return the number of keys that workers have."""
        return len(self._taken_at)

    def longest_running_seconds(self) -> float:
        """Return how long the slowest worker has had its key; 0 if no worker has one."""
        return max(self._running(), default=0.0)

    def stalled_seconds(self) -> float:
        """Return for how long no key was taken, though some wait; 0 if none waits."""
        oldest = min(list(self._added_at.values()), default=None)
        return 0.0 if oldest is None else self._clock() - max(oldest, self._last_taken_at)

    def _running(self) -> list[float]:
        now = self._clock()
        # A copy first: a worker may change the dict meanwhile.
        return [now - taken_at for taken_at in list(self._taken_at.values())]
