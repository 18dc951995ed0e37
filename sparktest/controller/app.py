"""The controller's program: creates its parts, starts them, and stops them in order."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import FrameType

from sparktest.client import ApiClient
from sparktest.controller.actions import Actions
from sparktest.controller.api_run_poller import ApiRunPoller
from sparktest.controller.caches import Caches
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.reconcile import Reconciler
from sparktest.controller.run_states import RunStates
from sparktest.controller.testruns import Key
from sparktest.controller.workers import Workers
from sparktest.controller.workqueue import WorkQueue
from sparktest.errors import UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.config import require_devcluster_token
from sparktest.settings import RESTRICTED, Settings

log = logging.getLogger(__name__)

WORKERS = 12
DRAIN_SECONDS = 25.0
# Each costs a request to the API after a sweep, that is, every 5 minutes.
AUDIT_SIZE = 200
CLUSTER_RETRY_SECONDS = 2.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Controller:
    """One controller of one cluster."""

    def __init__(self, settings: Settings, cluster: Cluster, client: ApiClient) -> None:
        uid = cluster.uid()
        self._queue: WorkQueue[Key] = WorkQueue()
        self._run_states = RunStates()
        self._caches = Caches(cluster, settings.namespaces, self._queue.add)
        self._log_collector = LogCollector(
            cluster, client, source=self._caches.log_source, on_key=self._queue.add
        )
        self._breaker = CircuitBreaker(
            on_key=self._queue.add, on_open=self._reconcile_unfinished, clock=_now
        )
        self._api_run_poller = ApiRunPoller(
            client,
            self._run_states,
            self._breaker,
            cluster=uid,
            namespaces=settings.namespaces,
            on_key=self._queue.add,
            on_sweep=self._audit,
            clock=_now,
        )
        actions = Actions(
            cluster,
            client,
            self._caches,
            self._log_collector,
            self._breaker,
            restricted=settings.pod_security == RESTRICTED,
            git_image=settings.git_image,
            requeue_after=self._queue.add_after,
            clock=_now,
        )
        reconciler = Reconciler(
            settings,
            uid,
            self._caches,
            self._run_states,
            self._log_collector,
            self._breaker,
            actions,
            clock=_now,
        )
        # The last key that was verified.
        self._audited: Key = ("", "")
        self._workers = Workers(self._queue, reconciler.reconcile, WORKERS)

    def run(self, stopping: threading.Event) -> None:
        """Reconcile until `stopping` is set, then let the workers finish their keys."""
        self._caches.start()
        while not stopping.is_set() and not self._caches.synced(1.0):
            for problem in self._caches.problems():
                log.warning("caches not synced error=%s", problem)
        # Only after the caches have synced: a TestRun that is not cached yet would look deleted,
        # and the first poll shows the API that this controller is ready.
        if not stopping.is_set():
            self._workers.start()
            log.info("controller started workers=%d", WORKERS)
            self._api_run_poller.start()
        # With a timeout: a signal that the kernel delivers to a thread that is just starting does
        # not wake a main thread that waits without one.
        while not stopping.wait(1.0):
            pass
        log.info("controller stopping")
        drained = self._workers.drain(DRAIN_SECONDS)
        self._log_collector.stop()
        self._api_run_poller.stop()
        self._caches.stop()
        log.info("controller stopped drained=%s", drained)

    def _reconcile_unfinished(self) -> None:
        """Queue every unfinished run: one that waits for its log has no event to show an outage."""
        for key in self._run_states.unfinished():
            self._queue.add(key)

    def _audit(self) -> None:
        """Verify that the runs of finished Jobs and TestRuns exist: no event reports a loss.

        Each call verifies the next AUDIT_SIZE of them, which bounds the requests to the API.
        """
        keys = sorted(self._caches.finished())
        following = [key for key in keys if key > self._audited] or keys
        for key in following[:AUDIT_SIZE]:
            self._audited = key
            self._run_states.verify_exists(key)
            self._queue.add(key)


def run(settings: Settings) -> int:
    """Run the controller until SIGTERM or SIGINT; return the exit code.

    Raises:
        InvalidError: there is no usable Kubernetes configuration.
        ForbiddenError: the cluster is a dev cluster and there is no token.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    require_devcluster_token(settings)
    connected = contextlib.closing(Cluster.connect(settings, workers=WORKERS))
    with connected as cluster, _stopped_by_signals() as stopping:
        uid = _wait_for_uid(cluster, stopping)
        if uid is None:
            return 0
        with ApiClient(settings.backend_url, settings.token, cluster=uid) as client:
            log.info("controller starting cluster=%s host=%s api=%s", uid, cluster.host, client.url)
            Controller(settings, cluster, client).run(stopping)
    return 0


def _wait_for_uid(cluster: Cluster, stopping: threading.Event) -> str | None:
    """Wait until the cluster can be reached, and return its uid; None if stopped before."""
    while True:
        try:
            return cluster.uid()
        except UnavailableError as error:
            log.warning("cluster unreachable error=%s", error.detail)
        if stopping.wait(CLUSTER_RETRY_SECONDS):
            return None


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set; restore their handlers afterwards."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now() -> datetime:
    return datetime.now(UTC)
