"""Logs of sidecars and second containers: as long as the test runs, and not much longer."""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, cast

import pytest

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import collector as module
from sparktest.controller.logs import stream
from sparktest.controller.logs.collector import Limits, LogCollector
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState
from sparktest.errors import OffsetError
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import LogSource, PodState, PodView, parse_pod
from tests.controller.logs.fake_kubelet import FakeStream, Gate, Part
from tests.controller.logs.fake_log_store import LogStore
from tests.controller.objects import run
from tests.e2e.program import until

KEY: Key = ("tests", "a")
AT_ONCE = Backoff(first=0.001, cap=0.001)
RUN = run(containers=("test", "side", "more"))
RUNNING: dict[str, Any] = {"running": {}}
ENDED: dict[str, Any] = {"terminated": {"exitCode": 0}}


def stamped(text: str) -> bytes:
    return f"2026-11-24T12:00:01.5Z {text}\n".encode()


def a_pod(name: str = "a", **states: Any) -> PodView:
    statuses = [{"name": container, "state": state} for container, state in states.items()]
    return parse_pod(
        {
            "metadata": {"name": name, "namespace": "tests"},
            "spec": {"containers": [{"name": "test"}]},
            "status": {"containerStatuses": statuses},
        }
    )


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, seconds=60, every=0.005)


def until_idle(at: "Environment") -> None:
    soon("no follower is left", lambda: not at.followed())


class Environment:
    """A kubelet and an API with a log for each container; each log waits for its own gate."""

    def __init__(self, **limits: int) -> None:
        self.open = 0
        self._lock = Lock()
        self.made: list[Gate] = []
        self.gates: dict[str, Gate] = {}
        self.stores: dict[str, LogStore] = {}
        self.keys: list[Key] = []
        self.collector = LogCollector(
            cast("Cluster", self),
            cast("ApiClient", self),
            limits=Limits(**limits),
            source=lambda namespace, name, container: LogSource(PodState.ENDED),
            on_key=self.keys.append,
            stream_timings=stream.Timings(backoff=AT_ONCE),
            upload_backoff=AT_ONCE,
        )

    def pod_log(self, namespace: str, pod: str, container: str, **_: Any) -> FakeStream:
        gate = self._gate(f"{pod}/{container}")
        parts: list[Part] = [stamped("begins"), gate, stamped("ends")]
        self.open += 1
        return FakeStream(cast("Any", self), parts)

    def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
        store = self.stores.setdefault(container, LogStore())
        return store.append_log(run_id, container, offset, data)

    def begun(self, *names: str) -> bool:
        """Return True once the first line of each log is stored."""
        return all(b"begins" in self.stores.get(name, LogStore()).stored for name in names)

    def end(self, name: str, pod: str = "a") -> None:
        self._gate(f"{pod}/{name}").set()

    def close(self) -> None:
        self.collector.stop()
        soon("its threads have ended", lambda: not self.collector._loop.is_alive)
        for gate in self.made:
            gate.close()

    def _gate(self, name: str) -> Gate:
        with self._lock:
            if name not in self.gates:
                self.gates[name] = Gate()
                self.made.append(self.gates[name])
            return self.gates[name]

    def followed(self) -> int:
        return self.collector.followed


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Environment]]:
    made: list[Environment] = []
    monkeypatch.setattr(module, "OTHERS_SECONDS", 0.5)

    def make(**limits: int) -> Environment:
        made.append(Environment(**limits))
        return made[-1]

    yield make
    for found in made:
        found.close()
        until_idle(found)


def complete(text: bytes) -> CollectedLog:
    log = Log(state=LogState.COMPLETE, bytes=len(text))
    return CollectedLog(log, text.decode().split()[-1], text.decode())


WHOLE = complete(b"begins\nends\n")


def test_each_container_has_a_log_of_its_own(environment: Callable[..., Environment]) -> None:
    at = environment()
    pod = a_pod(test=RUNNING, side=RUNNING)
    assert at.collector.collect(KEY, RUN, pod, "test")
    assert at.collector.collect(KEY, RUN, pod, "side")
    assert at.collector.in_progress(KEY) == {"test", "side"}
    at.end("side")
    soon("one is done", lambda: at.collector.logs(KEY) == {"side": WHOLE})
    assert at.collector.in_progress(KEY) == {"test"}
    at.end("test")
    soon("both are done", lambda: at.collector.logs(KEY) == {"side": WHOLE, "test": WHOLE})
    at.collector.forget(KEY)
    assert at.collector.logs(KEY) == {}


def test_a_sidecar_that_goes_on_is_read_for_a_short_time_after_the_test(
    environment: Callable[..., Environment],
) -> None:
    at = environment()
    for name in ("test", "side"):
        at.collector.collect(KEY, RUN, a_pod(test=RUNNING, side=RUNNING), name)
    soon("both have begun", lambda: at.begun("test", "side"))
    at.end("test")
    soon("both are done", lambda: at.collector.in_progress(KEY) == frozenset())
    assert at.collector.logs(KEY)["side"].log == Log(state=LogState.COMPLETE, bytes=7)


def test_a_sidecar_s_log_that_is_stored_again_still_ends_soon_after_the_test(
    environment: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OTHERS_SECONDS", 1.0)
    at = environment()
    for name in ("test", "side"):
        at.collector.collect(KEY, RUN, a_pod(test=RUNNING, side=RUNNING), name)
    soon("both have begun", lambda: at.begun("test", "side"))
    at.end("test")
    soon("the test's is done", lambda: "test" in at.collector.logs(KEY))
    at.stores["side"].faults = [OffsetError("the database was restored", stored=0)]
    at.gates.pop("a/side").set()
    soon("both are done", lambda: at.collector.in_progress(KEY) == frozenset())
    assert at.collector.logs(KEY)["side"].log == Log(state=LogState.COMPLETE, bytes=7)


def test_a_second_container_that_still_runs_after_the_test_is_read_in_its_turn(
    environment: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OTHERS_SECONDS", 1.0)
    at = environment(others=0)
    pod = a_pod(test=ENDED, more=RUNNING)
    assert at.collector.collect(KEY, RUN, pod, "more")
    soon("it is done", lambda: at.collector.logs(KEY))
    assert at.collector.logs(KEY)["more"].log == Log(state=LogState.COMPLETE, bytes=7)
    assert at.followed() == 0


def test_a_log_of_a_container_that_had_ended_is_read_to_its_end(
    environment: Callable[..., Environment],
) -> None:
    at = environment()
    pod = a_pod(test=ENDED, side=ENDED)
    at.collector.collect(KEY, RUN, pod, "side")
    at.collector.collect(KEY, RUN, pod, "test")
    at.end("test")
    soon("the test's is done", lambda: "test" in at.collector.logs(KEY))
    at.collector.end_others(KEY)
    soon("the other has begun", lambda: at.begun("side"))
    assert at.collector.in_progress(KEY) == {"side"}
    at.end("side")
    soon("the other is done", lambda: at.collector.logs(KEY).get("side") == WHOLE)


def test_the_log_of_an_init_container_is_read_to_its_end_after_the_test(
    environment: Callable[..., Environment],
) -> None:
    at = environment()
    status = {"initContainerStatuses": [{"name": "side", "state": RUNNING}]}
    pod = parse_pod({"metadata": {"name": "a", "namespace": "tests"}, "status": status})
    assert at.collector.collect(KEY, RUN, pod, "side")
    assert at.followed() == 1
    soon("it has begun", lambda: at.begun("side"))
    at.collector.end_others(KEY)
    # The log of a second container that began to end later is done before.
    at.collector.collect(KEY, RUN, a_pod(more=RUNNING), "more")
    at.collector.end_others(KEY)
    soon("the second's is done", lambda: "more" in at.collector.logs(KEY))
    at.end("side")
    soon("all of it is stored", lambda: at.collector.logs(KEY).get("side") == WHOLE)


def test_the_others_go_on_while_the_log_of_the_test_is_read(
    environment: Callable[..., Environment],
) -> None:
    at = environment()
    for name in ("test", "side"):
        at.collector.collect(KEY, RUN, a_pod(test=RUNNING, side=RUNNING), name)
    at.collector.end_others(KEY)
    soon("both have begun", lambda: at.begun("test", "side"))
    at.end("side")
    soon("the other is done", lambda: at.collector.logs(KEY) == {"side": WHOLE})


def test_without_a_log_of_the_test_the_others_end_when_the_run_does(
    environment: Callable[..., Environment],
) -> None:
    at = environment()
    at.collector.collect(KEY, RUN, a_pod(side=RUNNING), "side")
    soon("it has begun", lambda: at.begun("side"))
    at.collector.end_others(KEY)
    soon("it is done", lambda: at.collector.logs(KEY).keys() == {"side"})


def test_other_containers_leave_followers_for_tests(
    environment: Callable[..., Environment],
) -> None:
    at = environment(followers=2, others=1)
    pod = a_pod(test=RUNNING, side=RUNNING, more=RUNNING)
    assert at.collector.collect(KEY, RUN, pod, "side")
    assert not at.collector.collect(KEY, RUN, pod, "more")
    assert at.collector.collect(KEY, RUN, pod, "test")
    assert at.followed() == 2


def test_a_test_that_waits_for_a_follower_comes_before_other_containers(
    environment: Callable[..., Environment],
) -> None:
    at = environment(followers=1, others=1)
    later: Key = ("tests", "b")
    pods = a_pod(test=RUNNING, side=RUNNING), a_pod("b", test=RUNNING)
    assert at.collector.collect(KEY, RUN, pods[0], "test")
    assert not at.collector.collect(KEY, RUN, pods[0], "side")
    assert not at.collector.collect(later, RUN, pods[1], "test")
    at.end("test")
    soon("the test is followed", lambda: at.collector.in_progress(later) == {"test"})
    assert at.collector.in_progress(KEY) == frozenset()
    at.end("test", "b")
    soon("the other is followed", lambda: at.collector.in_progress(KEY) == {"side"})
