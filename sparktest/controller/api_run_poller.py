"""ApiRunPoller: polls the API for unfinished runs."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime

import msgspec

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.health import Heartbeat
from sparktest.controller.run_states import RunStates
from sparktest.controller.testruns import Key
from sparktest.domain import Run, RunPage, Status
from sparktest.errors import SparkTestError, UnavailableError
from sparktest.run_poller import PageRequest, RunPoller

log = logging.getLogger(__name__)

UNFINISHED = tuple(status.value for status in Status if not status.final)


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Polling intervals. The short back-off detects within 5 seconds that the API is back."""

    poll_seconds: float = 1.0
    sweep_seconds: float = 300.0
    backoff: Backoff = Backoff(first=1.0, cap=5.0)


class ApiRunPoller:
    """Polls in one thread; the API takes these requests as the controller's heartbeat.

    Attributes:
        heartbeat: beats with every request.

    Args:
        cluster: the uid of this cluster; runs of other clusters are ignored.
        namespaces: runs of other namespaces are ignored; empty means all namespaces.
        breaker: is fed with the result of every request.
        on_key: called with the key of every run that changed or must be reconciled again.
        on_sweep: called after a sweep, at most once in `sweep_seconds`.
        clock: returns the current time.
        monotonic: returns monotonic seconds.
    """

    def __init__(
        self,
        client: ApiClient,
        run_states: RunStates,
        breaker: CircuitBreaker,
        *,
        cluster: str,
        namespaces: Collection[str],
        on_key: Callable[[Key], None],
        on_sweep: Callable[[], None],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        timings: Timings | None = None,
    ) -> None:
        self._client = client
        self._run_states = run_states
        self._breaker = breaker
        self._cluster = cluster
        self._namespaces = namespaces
        self._on_key = on_key
        self._on_sweep = on_sweep
        self._clock = clock
        self._monotonic = monotonic
        self._timings = timings or Timings()
        self._poller = RunPoller(
            poll_seconds=self._timings.poll_seconds,
            sweep_seconds=self._timings.sweep_seconds,
            backoff=self._timings.backoff,
        )
        self._on_sweep_at = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="api-run-poller", daemon=True)
        self.heartbeat = Heartbeat("poller of API runs")

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread if it was started."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def poll_once(self) -> None:
        """Make the next request and report the keys of the runs that changed."""
        request = self._poller.next_request(self._monotonic(), self._known_ids)
        try:
            self._received(request, self._page(request))
        except SparkTestError as error:
            self._failed(error)
        except Exception as error:
            log.exception("poll failed")
            self._failed(UnavailableError(type(error).__name__))
        else:
            self._breaker.succeeded()

    def _run(self) -> None:
        while not self._stopping.wait(self._poller.delay(self._monotonic())):
            self.heartbeat.beat()
            self.poll_once()

    def _page(self, request: PageRequest) -> RunPage:
        return self._client.list_runs(
            status=UNFINISHED,
            namespace=tuple(self._namespaces),
            updated_since=request.updated_since,
            cursor=request.cursor,
            limit=request.limit,
        )

    def _received(self, request: PageRequest, page: RunPage) -> None:
        for run in page.runs:
            if self._is_ours(run) and self._run_states.update(run, self._clock()):
                self._on_key((run.namespace, run.job_name))
        now = self._monotonic()
        missing = self._poller.received(request, page, now)
        if not request.sweep or page.next is not None:
            return
        # The missing runs have ended or were deleted.
        for key, run in self._run_states.unfinished().items():
            if run.id in missing:
                self._run_states.verify_exists(key)
                self._on_key(key)
        # A sweep follows every failure, which is too often for on_sweep.
        if now - self._on_sweep_at >= self._timings.sweep_seconds:
            self._on_sweep_at = now
            self._on_sweep()

    def _is_ours(self, run: Run) -> bool:
        if self._namespaces and run.namespace not in self._namespaces:
            return False
        return run.cluster in (None, self._cluster) and bool(run.job_name)

    def _known_ids(self) -> list[str]:
        return [run.id for run in self._run_states.unfinished().values()]

    def _failed(self, error: SparkTestError) -> None:
        self._poller.failed(error, self._monotonic())
        self._breaker.failed(error)
