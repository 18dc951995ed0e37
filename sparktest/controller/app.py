"""The controller's program: creates its parts, starts them, and stops them in order."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from sparktest.client import ApiClient
from sparktest.controller.actions import Actions
from sparktest.controller.api_run_poller import ApiRunPoller
from sparktest.controller.bulkhead import Bulkhead
from sparktest.controller.caches import Caches
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.health import Health
from sparktest.controller.leader import LeaderElector, NotLeaderError, open_elector
from sparktest.controller.logs.collector import LogCollector
from sparktest.controller.metrics import ControllerMetrics
from sparktest.controller.metrics_server import MetricsServer, Page, check_page, metrics_page
from sparktest.controller.reconcile import Reconciler
from sparktest.controller.run_states import RunStates
from sparktest.controller.testruns import Key
from sparktest.controller.workers import Workers
from sparktest.controller.workqueue import LOW_PRIORITY, WorkQueue
from sparktest.domain_batches import MAX_RUN_IDS, is_uuid
from sparktest.errors import NotFoundError, SparkTestError, UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.config import require_devcluster_token
from sparktest.settings import RESTRICTED, Settings, in_pod_namespace
from sparktest.stop_signals import stop_event

log = logging.getLogger(__name__)

WORKERS = 16
# Some workers are always left for what needs no API: above all, to stop tests.
MAX_API_CALLS = 12
# With the release of the Lease (10 s) and the end of the informers (5 s), at most 25 s.
DRAIN_SECONDS = 10.0
# All addresses: the probes of the kubelet come from outside of the pod.
POD_METRICS_BIND = ":8081"
CLUSTER_RETRY_SECONDS = 2.0
# How soon a standby starts after it was elected.
LEADER_POLL_SECONDS = 0.1
# The exit code after a lost leadership: the program has to be started again.
LOST = 1


class Controller:
    """One controller of one cluster.

    Args:
        elector: with it, the controller works only while it is the leader; its `check` is called
            before every write of `cluster` and `client`.
        metrics: what it counts.
    """

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        client: ApiClient,
        elector: LeaderElector | None = None,
        metrics: ControllerMetrics | None = None,
    ) -> None:
        self._elector = elector
        self._metrics = metrics or ControllerMetrics()
        # Set once this controller reconciles; a standby must not collect keys for days.
        self._active = threading.Event()
        uid = cluster.uid()
        self._queue: WorkQueue[Key] = WorkQueue(metrics=self._metrics.queue)
        self._run_states = RunStates()
        self._caches = Caches(cluster, settings.namespaces, self._on_change)
        self._log_collector = LogCollector(
            cluster, client, source=self._caches.log_source, on_key=self._queue.add
        )
        self._breaker = CircuitBreaker(
            on_key=self._add_backlog, on_open=self._reconcile_unfinished, clock=_now
        )
        self._client = client
        client.on_result(self._on_api_result)
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
            on_report=self._metrics.reported,
        )
        reconciler = Reconciler(
            settings,
            uid,
            self._caches,
            self._run_states,
            self._log_collector,
            self._breaker,
            Bulkhead(MAX_API_CALLS, on_key=self._queue.add, priority=self._queue.priority),
            actions,
            # The events of the writes of one pass are observed by the next.
            before_observing=self._queue.clear,
            clock=_now,
        )
        self._workers = Workers(
            self._queue, reconciler.reconcile, WORKERS, self._metrics.reconciled
        )
        self._metrics.workers(WORKERS)
        self._metrics.unfinished_runs(lambda: self._run_states.unfinished().values())
        heartbeats = [*self._caches.heartbeats(), self._api_run_poller.heartbeat]
        if elector:
            self._metrics.leader(elector.name, lambda: elector.is_leader)
            heartbeats.append(elector.heartbeat)
        self._health = Health(heartbeats, self._metrics.queue)

    def run(self, stopping: threading.Event) -> bool:
        """Reconcile until `stopping` is set, then let the workers finish their keys.

        Returns False if the leadership was lost before.
        """
        self._caches.start()
        while not stopping.is_set() and not self._caches.synced(1.0):
            for problem in self._caches.problems():
                log.warning("caches not synced error=%s", problem)
        if self._may_start(stopping):
            self._start()
        # With a timeout: a signal that the kernel delivers to a thread that is just starting does
        # not wake a main thread that waits without one.
        while not stopping.wait(1.0):
            if self._elector and self._elector.lost.is_set():
                self._stop(drain_seconds=0.0)
                return False
        log.info("controller stopping")
        self._stop(drain_seconds=DRAIN_SECONDS)
        return True

    def pages(self) -> dict[str, Callable[[], Page]]:
        """Return the pages of its HTTP server, by path."""
        return {
            "/metrics": lambda: metrics_page(self._metrics),
            "/healthz": lambda: check_page(self._health.problems()),
            # A standby is ready, too: else a rollout would wait for it.
            "/readyz": lambda: check_page(self._caches.unsynced()),
        }

    def _may_start(self, stopping: threading.Event) -> bool:
        """Wait until this controller is the leader; return False if it is stopped before."""
        if self._elector and not stopping.is_set():
            self._elector.start()
            while not self._elector.elected.is_set() and not stopping.wait(LEADER_POLL_SECONDS):
                pass
        return not stopping.is_set()

    def _start(self) -> None:
        # Only after the caches have synced: a TestRun that is not cached yet would look deleted,
        # and the first poll shows the API that this controller is ready.
        self._active.set()
        for key in self._caches.keys():  # noqa: SIM118 - not a mapping
            self._add_backlog(key)
        self._workers.start()
        log.info("controller started workers=%d", WORKERS)
        self._api_run_poller.start()

    def _stop(self, *, drain_seconds: float) -> None:
        deadline = time.monotonic() + drain_seconds
        # While the poller ends, the workers finish their keys.
        self._queue.close()
        self._api_run_poller.stop()
        drained = self._workers.drain(max(0.0, deadline - time.monotonic()))
        self._log_collector.stop()
        # Last: until then, this controller may write.
        if self._elector:
            self._elector.stop()
        self._caches.stop()
        log.info("controller stopped drained=%s", drained)

    def _on_change(self, key: Key) -> None:
        if self._active.is_set():
            self._queue.add(key)
        else:
            self._caches.compact(key)

    def _on_api_result(self, method: str, error: SparkTestError | None) -> None:
        if not isinstance(error, NotLeaderError):  # nothing was requested
            self._breaker.record(method, error)
            self._metrics.requested_api(method, error)

    def _add_backlog(self, key: Key) -> None:
        self._queue.add(key, LOW_PRIORITY)

    def _reconcile_unfinished(self) -> None:
        """Queue every unfinished run: one that waits for its log has no event to show an outage."""
        for key in self._run_states.unfinished():
            self._add_backlog(key)

    def _audit(self) -> None:
        """Verify that the runs of finished Jobs and TestRuns exist: no event reports a loss."""
        keys = self._caches.finished_ids()
        for run_id in self._missing_runs([run_id for run_id in keys if is_uuid(run_id)]):
            self._run_states.verify_exists(keys[run_id])
            self._add_backlog(keys[run_id])

    def _missing_runs(self, ids: Sequence[str]) -> Iterator[str]:
        """Yield those of the runs that the API does not have."""
        for at in range(0, len(ids), MAX_RUN_IDS):
            try:
                yield from self._client.missing_runs(ids[at : at + MAX_RUN_IDS])
            except NotFoundError:
                log.warning("finished runs not verified: the API is older than this controller")
                return


def run(settings: Settings) -> int:
    """Run the controller until SIGTERM, SIGINT or the loss of its leadership; return the exit code.

    Raises:
        InvalidError: there is no usable Kubernetes configuration.
        ForbiddenError: the cluster is a dev cluster and there is no token.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    require_devcluster_token(settings)
    with contextlib.ExitStack() as opened:
        stopping = opened.enter_context(stop_event())
        elector = opened.enter_context(open_elector(settings))
        before_write = elector.check if elector else None
        metrics = ControllerMetrics()
        cluster = Cluster.connect(
            settings,
            workers=WORKERS,
            before_write=before_write,
            on_response=metrics.requested_kubernetes,
        )
        opened.callback(cluster.close)
        uid = _wait_for_uid(cluster, stopping)
        if uid is None:
            return 0
        client = opened.enter_context(
            ApiClient(settings.backend_url, settings.token, cluster=uid, before_write=before_write)
        )
        log.info("controller starting cluster=%s host=%s api=%s", uid, cluster.host, client.url)
        controller = Controller(settings, cluster, client, elector, metrics)
        if bind := _metrics_bind(settings):
            opened.enter_context(MetricsServer(bind, controller.pages()))
            log.info("metrics and probes served address=%s", bind)
        return 0 if controller.run(stopping) else LOST


def _metrics_bind(settings: Settings) -> str | None:
    """Return where to serve metrics and probes; None: nowhere."""
    default = POD_METRICS_BIND if in_pod_namespace() else "off"
    bind = settings.controller_metrics_bind or default
    return None if bind == "off" else bind


def _wait_for_uid(cluster: Cluster, stopping: threading.Event) -> str | None:
    """Wait until the cluster can be reached, and return its uid; None if stopped before."""
    while True:
        try:
            return cluster.uid()
        except UnavailableError as error:
            log.warning("cluster unreachable error=%s", error.detail)
        if stopping.wait(CLUSTER_RETRY_SECONDS):
            return None


def _now() -> datetime:
    return datetime.now(UTC)
