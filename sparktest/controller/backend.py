"""Backend: the API's runs that have not ended, and whether the API answers at all."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from sparktest.client import ApiClient
from sparktest.controller.run_states import RunStates
from sparktest.controller.testruns import Key
from sparktest.domain import Run, Status
from sparktest.errors import SparkTestError

log = logging.getLogger(__name__)

UNFINISHED = tuple(status.value for status in Status if not status.final)
PAGE = 500


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `overlap`: how far before the last change seen the next poll begins."""

    poll: float = 1.0
    sweep: float = 300.0
    overlap: float = 5.0


class Backend:
    """Polls the API in one thread; that poll is also how the API knows the controller is there.

    Args:
        cluster: the uid of this cluster: runs of others are not looked at.
        namespaces: runs elsewhere are not looked at; none means all.
        on_key: called with the key of every run that is news, or has to be looked at again.
        on_sweep: called after each full sweep.
        clock: the time now.

    Attributes:
        away: what hinders the API from answering, None while it answers.
        away_since: since when.
    """

    def __init__(
        self,
        client: ApiClient,
        run_states: RunStates,
        *,
        cluster: str,
        namespaces: Collection[str],
        on_key: Callable[[Key], None],
        on_sweep: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime],
        pace: Pace | None = None,
    ) -> None:
        self.away: str | None = None
        self.away_since: datetime | None = None
        self._client = client
        self._run_states = run_states
        self._cluster = cluster
        self._namespaces = namespaces
        self._on_key = on_key
        self._on_sweep = on_sweep
        self._clock = clock
        self._pace = pace or Pace()
        self._lock = threading.Lock()
        self._parked: set[Key] = set()
        self._updated: datetime | None = None
        self._swept_at = float("-inf")
        self._hurry = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="backend", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, if it was started."""
        self._stopping = True
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def park(self, key: Key) -> None:
        """Have the key worked on when the API answers again."""
        with self._lock:
            if self.away is not None:
                self._parked.add(key)
                return
        self._on_key(key)

    def check(self) -> None:
        """Find out now whether the API answers."""
        self._hurry.set()

    def poll(self) -> None:
        """Look once at what is new, or at everything when that is due.

        Raises:
            SparkTestError: the API does not answer, or not to us.
        """
        now = time.monotonic()
        sweep = now - self._swept_at >= self._pace.sweep
        since = self._updated - timedelta(seconds=self._pace.overlap) if self._updated else None
        found, newest = set(), self._updated
        for run in self._list(None if sweep else since):
            newest = max(filter(None, (newest, run.updated_at)), default=None)
            if not self._ours(run):
                continue
            found.add(run.id)
            if self._run_states.update(run, self._clock()):
                self._on_key((run.namespace, run.job_name))
        # Only now: a page that fails must be asked for again.
        self._updated = newest
        if sweep:
            self._swept_at = now
            self._missing(found)
            self._on_sweep()

    def _list(self, since: datetime | None) -> Iterable[Run]:
        cursor = None
        while True:
            page = self._client.list_runs(
                status=UNFINISHED,
                namespace=tuple(self._namespaces),
                updated_since=since,
                cursor=cursor,
                limit=PAGE,
            )
            yield from page.runs
            cursor = page.next
            if cursor is None:
                return

    def _ours(self, run: Run) -> bool:
        if self._namespaces and run.namespace not in self._namespaces:
            return False
        return run.cluster in (None, self._cluster) and bool(run.job_name)

    def _missing(self, found: set[str]) -> None:
        """Runs that were not in a full sweep have ended or were deleted: find out which."""
        for key, run in self._run_states.unfinished().items():
            if run.id not in found:
                self._run_states.verify_exists(key)
                self._on_key(key)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._hurry.clear()
            try:
                self.poll()
            except SparkTestError as error:
                self._failed(error.detail)
            except Exception as error:
                log.exception("poll failed")
                self._failed(f"{type(error).__name__}")
            else:
                self._works()
            self._hurry.wait(self._pace.poll)

    def _failed(self, problem: str) -> None:
        if self.away is None:
            log.warning("api away error=%s", problem)
        with self._lock:
            self.away_since = self.away_since or self._clock()
            self.away = problem

    def _works(self) -> None:
        with self._lock:
            back, self.away, self.away_since = self.away is not None, None, None
            parked, self._parked = self._parked, set()
        if back:
            log.info("api back waiting=%d", len(parked))
        for key in parked:
            self._on_key(key)
