import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller import app, informer
from sparktest.controller.app import Controller
from sparktest.controller.circuit_breaker import MAX_FAILURES
from sparktest.controller.informer_options import Timings
from sparktest.controller.logs.collector import Limits
from sparktest.controller.metrics_server import Page
from sparktest.domain import LogState, Status
from sparktest.domain_batches import MAX_RUN_IDS
from sparktest.errors import InvalidError, NotFoundError, UnavailableError
from sparktest.http import MAX_CONNECTIONS
from sparktest.kube.cluster import STREAM_CONNECTIONS, Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.settings import Settings
from tests.controller.fake_api import FakeApi
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fault_environment import LOG, SCRIPT, FaultEnvironment, fault_environment
from tests.controller.faults import Faults
from tests.e2e.program import free_port, until
from tests.kube.apiserver import Apiserver, apiserver
from tests.live_api import TOKEN

RUN_ID = str(uuid4())


@pytest.fixture
def api() -> Iterator[Apiserver]:
    with apiserver() as server:
        yield server


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultEnvironment]:
    """A controller of a cluster without the CRD."""
    quick = Timings(backoff=Backoff(first=0.05, cap=0.5), not_installed_seconds=0.05)
    monkeypatch.setattr(informer, "Timings", lambda: quick)
    with fault_environment(tmp_path, crd=False) as running:
        yield running


def test_api_runs_work_without_the_crd_and_testruns_once_it_is_installed(
    bare: FaultEnvironment,
) -> None:
    body = {"name": "api", "image": "busybox:1.35", "commands": [SCRIPT]}
    first = bare.client.create_run(body)
    (ended,) = bare.ended(1)
    assert (ended.id, ended.status) == (first.id, Status.SUCCEEDED)
    assert ended.log.state is LogState.COMPLETE
    assert bare.client.get_log(first.id) == LOG
    bare.install()
    bare.apply("smoke")
    assert {run.status for run in bare.ended(2)} == {Status.SUCCEEDED}


class RecordingEvent(threading.Event):
    """An event that records the timeouts of its waits."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.timeouts.append(timeout)
        return super().wait(timeout)


def test_it_neither_reconciles_nor_polls_before_its_caches_have_synced(
    api: Apiserver, tmp_path: Path
) -> None:
    settings = Settings(kubeconfig=str(api.kubeconfig(tmp_path / "kubeconfig")), cluster="here")
    cluster = Cluster.connect(settings)
    api.stop()
    stopping = RecordingEvent()
    with ApiClient(f"http://127.0.0.1:{free_port()}/api") as client:
        controller = Controller(settings, cluster, client)
        thread = threading.Thread(target=controller.run, args=(stopping,))
        thread.start()
        until("a problem is known", controller._caches.problems, every=0.01)
        assert not controller._api_run_poller._thread.is_alive()
        stopping.set()
        thread.join(60)
        assert not thread.is_alive()
    cluster.close()
    assert not any(worker.ident for worker in controller._workers._threads)
    # A wait without a timeout may never run the handler of a signal.
    assert stopping.timeouts
    assert None not in stopping.timeouts


def test_a_standby_keeps_no_objects_of_runs_that_finish(controller: Controller) -> None:
    informers = controller._caches._by_resource[TESTRUNS]
    (informer,) = informers
    metadata = {"name": "smoke", "namespace": "tests", "uid": "1"}
    for version, phase in enumerate(("Running", "Succeeded"), 1):
        versioned = metadata | {"resourceVersion": str(version)}
        informer._apply("MODIFIED", {"metadata": versioned, "status": {"phase": phase}})
    assert list(informers.items()) == []
    assert controller._caches.keys() == set()


def test_a_controller_that_has_synced_is_listed_by_the_api(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    # With another client: the API would record a request of the controller's client.
    with fault_environment(tmp_path) as running, ApiClient(running.client.url, TOKEN) as client:
        (controller,) = until("it is listed", client.list_controllers, seconds=10, every=0.05)
        assert controller.seen_at >= before


@pytest.fixture
def controller() -> Iterator[Controller]:
    """A controller that is not started."""
    fake = FakeCluster(lambda: datetime.now(UTC), Faults())
    with ApiClient(f"http://127.0.0.1:{free_port()}/api", cluster="here") as client:
        yield Controller(Settings(), cast("Cluster", fake), client)


def test_every_unfinished_run_is_reconciled_when_the_api_goes_down(controller: Controller) -> None:
    api = FakeApi(lambda: datetime.now(UTC), Faults())
    live, ended = api.add(), api.add(status=Status.FAILED)
    for run in (live, ended):
        controller._run_states.update(run, datetime.now(UTC))
    controller._breaker.failed(UnavailableError("refused"))
    assert controller._queue.get() == (live.namespace, live.job_name)
    assert len(controller._queue) == 0


def test_each_thread_has_a_connection_of_its_own() -> None:
    limits = Limits()
    logs = limits.followers + 2 * limits.fetchers
    assert app.MAX_API_CALLS < app.WORKERS
    assert app.MAX_API_CALLS + 1 + logs <= MAX_CONNECTIONS
    watches = 3 * 20  # of 20 namespaces
    assert watches + 2 * logs <= STREAM_CONNECTIONS


def test_every_call_of_the_api_feeds_the_breaker(controller: Controller) -> None:
    for _ in range(MAX_FAILURES):
        with pytest.raises(UnavailableError):
            controller._client.claim_run("run-1", "here")
    assert controller._breaker.error


def test_the_initial_lists_and_an_audit_wait_for_what_changes_now(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, finished, changed = (("tests", name) for name in ("listed", "finished", "changed"))
    monkeypatch.setattr(controller._caches, "finished_ids", lambda: {RUN_ID: finished})
    monkeypatch.setattr(controller._client, "missing_runs", lambda ids: ids)
    monkeypatch.setattr(controller._caches, "keys", lambda: {listed})
    for threads in (controller._workers, controller._api_run_poller):
        monkeypatch.setattr(threads, "start", lambda: None)
    controller._start()
    controller._audit()
    controller._on_change(changed)
    assert [controller._queue.get() for _ in range(3)] == [changed, listed, finished]


def test_an_audit_verifies_the_finished_runs_that_the_api_does_not_have(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {str(uuid4()): ("tests", f"testrun-{number:04d}") for number in range(MAX_RUN_IDS + 1)}
    first, *_, last = ids
    monkeypatch.setattr(
        controller._caches, "finished_ids", lambda: ids | {"edited": ("tests", "by-hand")}
    )
    asked: list[str] = []

    def missing_runs(run_ids: list[str]) -> list[str]:
        asked.extend(run_ids)
        return [run_id for run_id in run_ids if run_id in (first, last)]

    monkeypatch.setattr(controller._client, "missing_runs", missing_runs)
    controller._audit()
    states = controller._run_states._states
    assert asked == list(ids)
    assert [key for key, state in states.items() if state.verify_exists] == [ids[first], ids[last]]
    assert len(controller._queue) == 2


def test_an_older_api_verifies_no_runs_and_counts_as_reachable(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing_runs(run_ids: list[str]) -> list[str]:
        raise NotFoundError("no such route")

    monkeypatch.setattr(controller._caches, "finished_ids", lambda: {str(uuid4()): ("a", "b")})
    monkeypatch.setattr(controller._client, "missing_runs", missing_runs)
    controller._audit()
    assert len(controller._queue) == 0


def test_a_controller_whose_caches_have_not_synced_is_healthy_but_not_ready(
    controller: Controller,
) -> None:
    pages = controller.pages()
    assert pages["/healthz"]().status == 200
    assert pages["/readyz"]() == Page(
        HTTPStatus.SERVICE_UNAVAILABLE, b"the caches have not synced\n"
    )


@pytest.mark.parametrize(
    ("setting", "in_pod", "expected"),
    [
        ("", None, None),
        ("", "ns", ":8081"),
        ("off", "ns", None),
        ("127.0.0.1:1", None, "127.0.0.1:1"),
    ],
)
def test_metrics_are_served_in_a_pod_unless_the_setting_says_otherwise(
    setting: str, in_pod: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "in_pod_namespace", lambda: in_pod)
    assert app._metrics_bind(Settings(controller_metrics_bind=setting)) == expected


def test_the_uid_of_an_unreachable_cluster_is_requested_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "CLUSTER_RETRY_SECONDS", 0.0)
    errors = [UnavailableError("unreachable")] * 2

    class Unreachable:
        def uid(self) -> str:
            if errors:
                raise errors.pop()
            return "here"

    cluster = cast("Cluster", Unreachable())
    stopping = threading.Event()
    assert app._wait_for_uid(cluster, stopping) == "here"
    errors.append(UnavailableError("unreachable"))
    stopping.set()
    assert app._wait_for_uid(cluster, stopping) is None


def test_without_a_kubernetes_configuration_the_error_names_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(InvalidError, match="kubeconfig"):
        app.run(Settings(kubeconfig=str(tmp_path / "none")))
