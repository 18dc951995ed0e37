from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import stream
from sparktest.controller.logs.collector import Limits, LogCollector
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState, Origin, Run, Status
from sparktest.errors import UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.pod_view import LogSource, PodState, PodView, parse_pod
from tests.controller.logs.fake_kubelet import FakeKubelet, Gate, Part
from tests.controller.logs.fake_log_store import LogStore
from tests.controller.objects import NOW
from tests.e2e.program import until

LINE = b"2026-11-24T12:00:01.5Z one\n"
UNREACHABLE = UnavailableError("unreachable")
AT_ONCE = Backoff(first=0.001, cap=0.001)


def key(name: str) -> Key:
    return ("tests", name)


def pod(name: str, state: str, container: str = "test") -> PodView:
    status = {"containerStatuses": [{"name": container, "state": {state: {}}}]}
    return parse_pod({"metadata": {"name": name, "namespace": "tests"}, "status": status})


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, seconds=60, every=0.005)


class Setup:
    """A collector between a kubelet and an API; logs of `blocked` wait for `gate`."""

    def __init__(self, kubelet: FakeKubelet, store: LogStore, limits: Limits) -> None:
        self.kubelet = kubelet
        self.store = store
        self.gate = Gate()
        self.done: list[Key] = []
        self.collector = LogCollector(
            cast("Cluster", kubelet),
            cast("ApiClient", store),
            limits=limits,
            source=lambda namespace, name, container: LogSource(PodState.ENDED),
            on_key=self.done.append,
            stream_timings=stream.Timings(
                backoff=AT_ONCE, unreachable_seconds=0.01, no_log_seconds=0.01
            ),
            upload_backoff=AT_ONCE,
        )

    def blocked(self) -> list[Part]:
        """Return a log that does not end before the gate is open."""
        return [LINE, self.gate]

    def collect(self, name: str, state: str = "running", container: str = "test") -> bool:
        run = Run(
            id=f"run-{name}",
            name=name,
            status=Status.RUNNING,
            origin=Origin.API,
            created_at=NOW,
            containers=("test", "side", "more"),
        )
        return self.collector.collect(key(name), run, pod(name, state, container), container)

    def idle(self) -> bool:
        return not self.collector.followed

    def has_ended(self) -> bool:
        return not self.collector._loop.is_alive

    def stored(self, name: str) -> Log:
        """Wait until the log is done; return what is stored of it."""
        soon("the log is done", lambda: key(name) in self.done)
        return self.collector.logs(key(name))["test"].log


@pytest.fixture
def setup() -> Iterator[Callable[..., Setup]]:
    made: list[Setup] = []

    def make(*scripts: Any, store: LogStore | None = None, **limits: int) -> Setup:
        found = Setup(FakeKubelet(*scripts), store or LogStore(), Limits(**limits))
        made.append(found)
        return found

    yield make
    for found in made:
        found.gate.set()
        found.collector.stop()
        soon("no follower is left", found.idle)
        soon("its threads have ended", found.has_ended)
        found.gate.close()


@pytest.mark.parametrize("state", ["running", "terminated"])
def test_a_log_is_stored_and_its_key_is_reported_as_done(
    setup: Callable[..., Setup], state: str
) -> None:
    at = setup([LINE])
    assert at.collect("a", state)
    assert at.stored("a") == Log(state=LogState.COMPLETE, bytes=4)
    assert at.store.stored == b"one\n"
    assert not at.collector.in_progress(key("a"))


def test_there_is_no_result_while_the_log_is_being_collected(setup: Callable[..., Setup]) -> None:
    at = setup()
    at.kubelet.scripts = [at.blocked()]
    at.collect("a")
    assert at.collector.in_progress(key("a"))
    assert at.collector.logs(key("a")) == {}
    at.gate.set()
    assert at.stored("a").state is LogState.COMPLETE


def test_a_log_is_collected_only_once(setup: Callable[..., Setup]) -> None:
    at = setup()
    at.kubelet.scripts = [at.blocked()]
    assert at.collect("a")
    assert at.collect("a")
    at.gate.set()
    at.stored("a")
    assert at.collect("a", "terminated")
    assert at.kubelet.requests == [None]
    assert at.done == [key("a")]


def test_no_more_than_the_allowed_number_of_tests_is_followed(setup: Callable[..., Setup]) -> None:
    at = setup(followers=1)
    at.kubelet.scripts = [at.blocked(), [LINE]]
    assert at.collect("a")
    assert not at.collect("b")
    assert not at.collector.in_progress(key("b"))
    at.gate.set()
    at.stored("a")
    soon("its log is done", lambda: at.collector.logs(key("b")))


def test_the_longest_waiting_test_is_followed_when_a_follower_is_free(
    setup: Callable[..., Setup],
) -> None:
    at = setup(followers=1)
    at.kubelet.scripts = [at.blocked(), [LINE], [LINE]]
    assert at.collect("a")
    for name in ("forgotten", "b", "c", "b"):
        assert not at.collect(name)
    at.collector.forget(key("forgotten"))
    at.gate.set()
    soon("all are done", lambda: at.done == [key("a"), key("b"), key("c")])


def test_a_waiting_log_is_fetched_once_its_container_has_ended(setup: Callable[..., Setup]) -> None:
    at = setup(followers=1)
    at.kubelet.scripts = [at.blocked(), [LINE]]
    assert at.collect("a")
    assert not at.collect("b")
    assert at.collect("b", "terminated")
    at.stored("b")
    at.gate.set()
    at.stored("a")
    soon("no follower is left", at.idle)
    assert len(at.kubelet.requests) == 2


def test_logs_of_ended_tests_are_queued(setup: Callable[..., Setup]) -> None:
    at = setup(followers=0, fetchers=1)
    at.kubelet.scripts = [at.blocked(), [LINE], [LINE]]
    for name in "abc":
        assert at.collect(name, "terminated")
    assert all(at.collector.in_progress(key(name)) for name in "abc")
    assert len(at.kubelet.requests) <= 1
    at.gate.set()
    soon("all are done", lambda: at.done == [key(name) for name in "abc"])


def test_a_log_is_forgotten_only_when_it_is_done(setup: Callable[..., Setup]) -> None:
    at = setup()
    at.kubelet.scripts = [at.blocked(), [LINE]]
    at.collect("a")
    at.collector.forget(key("a"))
    assert at.collector.in_progress(key("a"))
    at.gate.set()
    at.stored("a")
    at.collector.forget(key("a"))
    assert at.collector.logs(key("a")) == {}
    assert at.collect("a")
    soon("it is stored again", lambda: len(at.done) == 2)


def test_after_a_stop_no_log_starts_and_no_log_is_reported_as_done(
    setup: Callable[..., Setup],
) -> None:
    at = setup(fetchers=1)
    at.kubelet.scripts = [at.blocked()]
    at.collect("a")
    soon("it is being read", lambda: at.kubelet.open)
    at.collector.stop()
    at.gate.set()
    soon("the follower has ended", at.idle)
    assert not at.collect("b")
    assert not at.collect("c", "terminated")
    assert at.done == []
    assert at.collector.logs(key("a")) == {}


def test_a_stop_does_not_wait_for_an_unreachable_api(setup: Callable[..., Setup]) -> None:
    at = setup([LINE], store=LogStore(*[UNREACHABLE] * 100_000))
    at.collect("a")
    soon("it has been tried", lambda: len(at.store.faults) < 100_000)
    at.collector.stop()
    soon("the follower has ended", at.idle)
    assert at.done == []
