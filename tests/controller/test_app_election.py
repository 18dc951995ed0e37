"""A controller with an elector: a standby, a leader, and one that lost its leadership."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import pytest

from sparktest.client import ApiClient
from sparktest.controller.app import Controller
from sparktest.controller.health import Heartbeat
from sparktest.controller.leader import LeaderElector, NotLeaderError
from sparktest.controller.testruns import Key
from sparktest.controller.workers import Workers
from sparktest.kube.cluster import Cluster
from sparktest.settings import Settings
from tests.e2e.program import free_port, until
from tests.kube.apiserver import Apiserver, apiserver


@pytest.fixture
def api() -> Iterator[Apiserver]:
    with apiserver() as server:
        yield server


class FakeElector:
    """An elector that a test elects."""

    def __init__(self) -> None:
        self.name = "sparktest-controller"
        self.is_leader = False
        self.heartbeat = Heartbeat("leader election")
        self.elected = threading.Event()
        self.lost = threading.Event()
        self.started = threading.Event()
        self.released = False

    def start(self) -> None:
        self.started.set()

    def stop(self) -> None:
        self.released = True


@contextmanager
def candidate(
    api: Apiserver, folder: Path
) -> Iterator[tuple[Controller, FakeElector, threading.Event, list[bool]]]:
    """Run a controller with a fake elector; the last list is what its `run` returned."""
    settings = Settings(kubeconfig=str(api.kubeconfig(folder / "kubeconfig")), cluster="here")
    elector, stopping, returned = FakeElector(), threading.Event(), []
    with (
        closing(Cluster.connect(settings)) as cluster,
        ApiClient(f"http://127.0.0.1:{free_port()}/api") as client,
    ):
        controller = Controller(settings, cluster, client, cast("LeaderElector", elector))
        thread = threading.Thread(target=lambda: returned.append(controller.run(stopping)))
        thread.start()
        try:
            assert elector.started.wait(60)
            yield controller, elector, stopping, returned
        finally:
            stopping.set()
            thread.join(20)
            assert not thread.is_alive()


def test_a_standby_has_warm_caches_and_starts_with_all_of_their_keys_once_it_is_elected(
    api: Apiserver, tmp_path: Path
) -> None:
    keys: list[Key] = []
    with candidate(api, tmp_path) as (controller, elector, stopping, returned):
        controller._workers = Workers(controller._queue, keys.append, 1)
        api.put("smoke")
        until("it is cached", controller._caches.keys, seconds=10, every=0.01)
        assert len(controller._queue) == 0
        assert not controller._api_run_poller._thread.is_alive()
        elector.elected.set()
        until("its key is reconciled", lambda: keys, seconds=10, every=0.01)
        assert set(keys) == controller._caches.keys()
        stopping.set()
        until("it has ended", lambda: returned, seconds=20, every=0.01)
    assert returned == [True]
    assert elector.released


def test_a_standby_is_ready_and_healthy_and_shows_that_it_does_not_lead(
    api: Apiserver, tmp_path: Path
) -> None:
    with candidate(api, tmp_path) as (controller, *_):
        pages = controller.pages()
        assert [pages[path]().status for path in ("/healthz", "/readyz")] == [200, 200]
        status = b'leader_election_master_status{name="sparktest-controller"} 0.0'
        assert status in pages["/metrics"]().body


def test_the_lease_is_released_only_after_the_workers_have_finished_their_keys(
    api: Apiserver, tmp_path: Path
) -> None:
    begun, may_end, finished = threading.Event(), threading.Event(), []

    def reconcile(key: Key) -> None:
        begun.set()
        assert may_end.wait(60)
        finished.append(elector.released)

    with candidate(api, tmp_path) as (controller, elector, stopping, returned):
        controller._workers = Workers(controller._queue, reconcile, 1)
        api.put("smoke")
        elector.elected.set()
        assert begun.wait(60)
        stopping.set()
        until("no key is taken any more", lambda: controller._queue._closed, seconds=60, every=0.01)
        may_end.set()
        until("it has ended", lambda: returned, seconds=60, every=0.01)
    assert finished == [False]
    assert elector.released


def test_a_controller_that_lost_its_leadership_ends(api: Apiserver, tmp_path: Path) -> None:
    with candidate(api, tmp_path) as (_, elector, stopping, returned):
        elector.elected.set()
        elector.lost.set()
        until("it has ended", lambda: returned, seconds=20, every=0.01)
        assert not stopping.is_set()
    assert returned == [False]


def test_a_write_that_was_prevented_is_no_failure_of_the_api(
    api: Apiserver, tmp_path: Path
) -> None:
    with candidate(api, tmp_path) as (controller, *_):
        for _ in range(20):
            controller._on_api_result("PUT", NotLeaderError("not the leader"))
        assert controller._breaker.error is None
        assert b"sparktest_api_requests_total{" not in controller.pages()["/metrics"]().body
