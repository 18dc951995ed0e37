"""Delete what is older than the retention, in a thread of each process of the API.

One process works at a time. It works in steps that take some milliseconds, with pauses between
them that are ten times as long, so that requests hardly notice.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from sparktest.api.context import AppContext
from sparktest.api.store import free_pages, leases, retention
from sparktest.errors import UnavailableError

SWEEP_SECONDS = 60.0
LEASE = timedelta(seconds=150)
LEASE_NAME = "prune"
STEP_SECONDS = 0.005
PAUSE_RATIO = 10
MIN_PAUSE_SECONDS = 0.02
MAX_ROWS = 200

log = logging.getLogger(__name__)


class Pruner:
    """The thread that deletes what is old; it ends when the application is closing.

    Args:
        ctx: the context of the application.
        pause: waits for some seconds between two steps.
    """

    def __init__(self, ctx: AppContext, pause: Callable[[float], object] | None = None) -> None:
        self._ctx = ctx
        self._pause = pause or ctx.closing.wait
        self._holder = str(uuid.uuid4())
        self._rows = 8
        self._thread = threading.Thread(target=self._loop, name="pruner", daemon=True)

    def start(self) -> None:
        """Start the thread. In a server that forks, call this in each worker."""
        self._thread.start()

    def _loop(self) -> None:
        while not self._ctx.closing.wait(SWEEP_SECONDS):
            try:
                self.sweep()
            except UnavailableError:
                # The store has logged it.
                continue
            except Exception:
                log.exception("pruning failed; it tries again")

    def sweep(self) -> int:
        """Delete all that is old now; return how many rows were deleted.

        Raises:
            UnavailableError: the database does not answer.
        """
        settings, now = self._ctx.settings, self._ctx.clock()
        days = settings.retention_days
        with self._ctx.store.reading() as connection:
            old = retention.limits(connection, now, days, settings.retention_runs)
        deleted = 0
        if old is not None:
            limits = old
            deleted += self._repeat(
                lambda connection, rows: retention.delete_runs(connection, limits, now, rows)
            )
        deleted += self._repeat(
            lambda connection, rows: retention.delete_others(connection, now, days, rows)
        )
        self._repeat(lambda connection, rows: int(free_pages.give_back(connection)))
        if deleted:
            log.info("pruned rows=%d", deleted)
        return deleted

    def _repeat(self, step: Callable[[Connection, int], int]) -> int:
        """Execute the step until it has nothing to do, or another process works."""
        total = 0
        while not self._ctx.closing.is_set():
            deleted, seconds = self._ctx.store.write(partial(self._step, step))
            self._adjust(seconds)
            if not deleted:
                break
            total += deleted
            self._pause(max(MIN_PAUSE_SECONDS, seconds * PAUSE_RATIO))
        return total

    def _step(
        self, step: Callable[[Connection, int], int], connection: Connection
    ) -> tuple[int, float]:
        """Return what the step deleted and the seconds that it took; 0 without the lease."""
        began = time.monotonic()
        if not leases.hold(connection, LEASE_NAME, self._holder, self._ctx.clock(), LEASE):
            return 0, 0.0
        return step(connection, self._rows), time.monotonic() - began

    def _adjust(self, seconds: float) -> None:
        """Let steps take about STEP_SECONDS."""
        if seconds > STEP_SECONDS:
            self._rows = max(1, self._rows // 2)
        elif seconds < STEP_SECONDS / 2:
            self._rows = min(MAX_ROWS, self._rows * 2)
