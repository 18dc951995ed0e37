"""What /healthz says: whether the threads of the controller make progress.

An unreachable cluster or API is no reason to start the controller again: its threads fail and
retry, which is progress, too. A thread that has died, or that never returns from a call, is one.
"""

import time
from collections.abc import Callable, Sequence

from sparktest.controller.queue_metrics import QueueMetrics

# Far above what is usual: a list of many pages, a reconcile of several calls that all time out.
STUCK_SECONDS = 600.0


class Heartbeat:
    """When a thread has last made progress; any thread may call its methods.

    Args:
        name: of the thread, for the message.
        clock: returns monotonic seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._at: float | None = None

    def beat(self) -> None:
        """Note that the thread makes progress."""
        self._at = self._clock()

    def problem(self) -> str | None:
        """Return what is wrong; None while there is progress, and before the first beat."""
        if self._at is None:
            return None
        silent = self._clock() - self._at
        return f"{self._name}: no progress for {silent:.0f} s" if silent > STUCK_SECONDS else None


class Health:
    """The progress of all threads of the controller."""

    def __init__(
        self, heartbeats: Sequence[Heartbeat], queue: QueueMetrics[tuple[str, str]]
    ) -> None:
        self._heartbeats = heartbeats
        self._queue = queue

    def problems(self) -> list[str]:
        """Return why the controller has to be started again, one line each; usually none."""
        found = [problem for each in self._heartbeats if (problem := each.problem())]
        if (seconds := self._queue.longest_running_seconds()) > STUCK_SECONDS:
            found.append(f"a worker has had one key for {seconds:.0f} s")
        if (seconds := self._queue.stalled_seconds()) > STUCK_SECONDS:
            found.append(f"no worker has taken a key for {seconds:.0f} s, and some wait")
        return found
