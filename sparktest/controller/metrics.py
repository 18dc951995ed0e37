"""ControllerMetrics: everything that the controller counts, with the names of controller-runtime.

Where neither controller-runtime nor client-go has a name, it begins with `sparktest_`.
"""

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sparktest.controller.queue_metrics import CONTROLLER, SECONDS, QueueMetrics
from sparktest.controller.testruns import Key
from sparktest.domain import Run, Status
from sparktest.errors import SparkTestError

# From a run's creation to its start: the image may have to be pulled.
START_SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
# What client-go has instead of a status.
NO_RESPONSE = "<error>"


class ControllerMetrics:
    """What one controller counts.

    Attributes:
        registry: all metrics, for a scrape.
        queue: the times of the keys, for the work queue.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self.queue: QueueMetrics[Key] = QueueMetrics(registry)
        reconciles = Counter(
            "controller_runtime_reconcile",
            "Reconciles by result.",
            ["controller", "result"],
            registry=registry,
        )
        self._reconciles = {
            result: reconciles.labels(CONTROLLER, result) for result in ("success", "error")
        }
        self._reconcile_errors = Counter(
            "controller_runtime_reconcile_errors",
            "Reconciles that failed.",
            ["controller"],
            registry=registry,
        ).labels(CONTROLLER)
        self._reconcile_seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Duration of a reconcile.",
            ["controller"],
            registry=registry,
            buckets=SECONDS,
        ).labels(CONTROLLER)
        self._kubernetes_requests = Counter(
            "rest_client_requests",
            "Requests to the Kubernetes API by status; <error>: no response.",
            ["code", "method", "host"],
            registry=registry,
        )
        self._api_requests = Counter(
            "sparktest_api_requests",
            "Requests to the API of SparkTest by status; <error>: no response.",
            ["code", "method"],
            registry=registry,
        )
        self._finished_runs = Counter(
            "sparktest_runs_finished",
            "Runs that were reported as ended, by status and class of their failure.",
            ["status", "class"],
            registry=registry,
        )
        self._start_seconds = Histogram(
            "sparktest_run_start_seconds",
            "Time from the creation of a run to its start.",
            registry=registry,
            buckets=START_SECONDS,
        )
        self._log_bytes = Counter(
            "sparktest_log_bytes_stored",
            "Bytes of the stored logs of runs that were reported as ended.",
            registry=registry,
        )
        self.gauge(
            "controller_runtime_active_workers",
            "Workers that reconcile.",
            self.queue.active,
            controller=CONTROLLER,
        )

    def gauge(self, name: str, text: str, read: Callable[[], float], /, **labels: str) -> None:
        """Add a gauge that is read at each scrape."""
        made = Gauge(name, text, list(labels), registry=self.registry)
        (made.labels(**labels) if labels else made).set_function(read)

    def workers(self, count: int) -> None:
        """Add a gauge of the number of workers."""
        name = "controller_runtime_max_concurrent_reconciles"
        self.gauge(name, "The number of workers.", lambda: count, controller=CONTROLLER)

    def leader(self, lease: str, is_leader: Callable[[], bool]) -> None:
        """Add a gauge of the leadership, which is read at each scrape."""
        name = "leader_election_master_status"
        self.gauge(name, "1 for the leader, 0 for a standby.", is_leader, name=lease)

    def unfinished_runs(self, unfinished: Callable[[], Iterable[Run]]) -> None:
        """Add a gauge of the runs that have not ended, which are read at each scrape."""
        made = Gauge(
            "sparktest_runs", "Runs that have not ended.", ["status"], registry=self.registry
        )
        for status in Status:
            if not status.final:
                made.labels(status.value).set_function(partial(_count, unfinished, status))

    def reconciled(self, seconds: float, failed: bool) -> None:
        """Count a reconcile."""
        self._reconciles["error" if failed else "success"].inc()
        self._reconcile_seconds.observe(seconds)
        if failed:
            self._reconcile_errors.inc()

    def requested_kubernetes(self, host: str, method: str, status: int | None) -> None:
        """Count a request to the Kubernetes API; None: there was no response."""
        code, name = str(status or NO_RESPONSE), host.rpartition("://")[2]
        self._kubernetes_requests.labels(code, method, name).inc()

    def requested_api(self, method: str, error: SparkTestError | None) -> None:
        """Count a request to the API of SparkTest, and how it failed."""
        self._api_requests.labels("2xx" if error is None else str(error.status), method).inc()

    def reported(self, before: Run, after: Run) -> None:
        """Count what a report has changed in a run."""
        if before.started_at is None and after.started_at is not None:
            # Kubernetes rounds the start down to whole seconds.
            seconds = (after.started_at - after.created_at).total_seconds()
            self._start_seconds.observe(max(seconds, 0.0))
        if after.status.final and not before.status.final:
            class_ = after.failure.class_.value if after.failure else ""
            self._finished_runs.labels(after.status.value, class_).inc()
            self._log_bytes.inc(after.log.bytes)


def _count(unfinished: Callable[[], Iterable[Run]], status: Status) -> int:
    return sum(run.status is status for run in unfinished())
