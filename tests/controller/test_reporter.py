"""Logs of many pods are stored at once, within limits, and each end is told with what is stored."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, cast

import pytest

from sparktest.client import ApiClient
from sparktest.controller import tail, upload
from sparktest.controller.reporter import Limits, Reporter
from sparktest.controller.tail import PodState
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState
from sparktest.errors import GoneError, NotFoundError, TooLargeError, UnavailableError
from sparktest.kube.cluster import Cluster
from tests.controller.kubelet import Kubelet, Part
from tests.controller.log_store import LogStore
from tests.e2e.program import until

LINE = b"2026-11-24T12:00:01.5Z one\n"
NEVER = UnavailableError("away")


def key(name: str) -> Key:
    return ("tests", name)


def pod(name: str, state: str) -> dict[str, Any]:
    status = {"containerStatuses": [{"name": "test", "state": {state: {}}}]}
    return {"metadata": {"name": name, "namespace": "tests"}, "status": status}


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, seconds=5, every=0.005)


class Scene:
    """A reporter between a kubelet and an API; `gate` holds back what waits for it."""

    def __init__(self, kubelet: Kubelet, store: LogStore, limits: Limits) -> None:
        self.kubelet = kubelet
        self.store = store
        self.gate = Event()
        self.done: list[Key] = []
        self.reporter = Reporter(
            cast("Cluster", kubelet),
            cast("ApiClient", store),
            limits=limits,
            state=lambda namespace, name: PodState.ENDED,
            on_done=self.done.append,
            tail_pace=tail.Pace(first_retry=0.001, last_retry=0.001, patience=0.01),
            upload_pace=upload.Pace(first_retry=0.001, last_retry=0.001),
        )

    def held(self, *parts: Part) -> list[Part]:
        """A log that goes on until the gate is open."""
        return [LINE, self._wait, *parts]

    def _wait(self) -> None:
        self.gate.wait(5)

    def follow(self, name: str, state: str = "running") -> bool:
        return self.reporter.follow(key(name), f"run-{name}", pod(name, state))

    def idle(self) -> bool:
        return not self.reporter._live

    def stored(self, name: str) -> Log:
        """What is stored of the log, when that is done."""
        soon("the log is done", lambda: key(name) in self.done)
        found = self.reporter.log(key(name))
        assert found is not None
        return found


@pytest.fixture
def scene() -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(*scripts: Any, store: LogStore | None = None, **limits: int) -> Scene:
        found = Scene(Kubelet(*scripts), store or LogStore(), Limits(**limits))
        made.append(found)
        return found

    yield make
    for found in made:
        found.gate.set()
        found.reporter.stop()
        soon("no follower is left", found.idle)


@pytest.mark.parametrize("state", ["running", "terminated"])
def test_a_log_is_stored_whole_and_its_end_is_told(scene: Callable[..., Scene], state: str) -> None:
    at = scene([LINE])
    assert at.follow("a", state)
    assert at.stored("a") == Log(state=LogState.COMPLETE, bytes=4)
    assert at.store.stored == b"one\n"
    assert not at.reporter.following(key("a"))


def test_while_it_is_being_stored_there_is_no_answer_yet(scene: Callable[..., Scene]) -> None:
    at = scene()
    at.kubelet.scripts = [at.held()]
    at.follow("a")
    assert at.reporter.following(key("a"))
    assert at.reporter.log(key("a")) is None
    at.gate.set()
    assert at.stored("a").state is LogState.COMPLETE


def test_a_log_that_is_being_stored_or_done_is_not_begun_again(
    scene: Callable[..., Scene],
) -> None:
    at = scene()
    at.kubelet.scripts = [at.held()]
    assert at.follow("a")
    assert at.follow("a")
    at.gate.set()
    at.stored("a")
    assert at.follow("a", "terminated")
    assert at.kubelet.asked == [None]
    assert at.done == [key("a")]


def test_no_more_tests_are_followed_at_once_than_allowed(scene: Callable[..., Scene]) -> None:
    at = scene(followers=1)
    at.kubelet.scripts = [at.held(), [LINE]]
    assert at.follow("a")
    assert not at.follow("b")
    assert not at.reporter.following(key("b"))
    at.gate.set()
    at.stored("a")
    soon("there is room", lambda: at.follow("b"))
    assert at.stored("b").state is LogState.COMPLETE


def test_the_logs_of_tests_that_have_ended_wait_for_their_turn(
    scene: Callable[..., Scene],
) -> None:
    at = scene(followers=0, fetchers=1)
    at.kubelet.scripts = [at.held(), [LINE], [LINE]]
    for name in "abc":
        assert at.follow(name, "terminated")
    assert all(at.reporter.following(key(name)) for name in "abc")
    assert len(at.kubelet.asked) <= 1
    at.gate.set()
    soon("all are done", lambda: at.done == [key(name) for name in "abc"])


def test_what_is_forgotten_can_be_stored_again_and_what_goes_on_is_not_forgotten(
    scene: Callable[..., Scene],
) -> None:
    at = scene()
    at.kubelet.scripts = [at.held(), [LINE]]
    at.follow("a")
    at.reporter.forget(key("a"))
    assert at.reporter.following(key("a"))
    at.gate.set()
    at.stored("a")
    at.reporter.forget(key("a"))
    assert at.reporter.log(key("a")) is None
    assert at.follow("a")
    soon("it is stored again", lambda: len(at.done) == 2)


@pytest.mark.parametrize(
    ("script", "store", "wanted"),
    [
        (NotFoundError("no pod"), LogStore(), Log(reason="PodDeleted")),
        (
            [LINE, NotFoundError("no pod")],
            LogStore(),
            Log(state=LogState.PARTIAL, reason="PodDeleted", bytes=4),
        ),
        (
            [LINE, ValueError("a bug")],
            LogStore(),
            Log(state=LogState.PARTIAL, reason="ValueError", bytes=4),
        ),
        ([LINE], LogStore(TooLargeError("too large")), Log(reason="TooLarge")),
        ([LINE], LogStore(GoneError("deleted")), Log(reason="RunDeleted")),
        ([LINE], LogStore(NotFoundError("no run")), Log(reason="RunDeleted")),
        (
            [LINE],
            LogStore(ValueError("a bug")),
            Log(state=LogState.PARTIAL, reason="ValueError"),
        ),
    ],
    ids=[
        "no pod",
        "pod deleted",
        "a bug in reading",
        "too large",
        "run deleted",
        "no run",
        "a bug in storing",
    ],
)
def test_a_log_that_is_not_whole_says_why(
    scene: Callable[..., Scene], script: Any, store: LogStore, wanted: Log
) -> None:
    at = scene(script, store=store)
    at.follow("a")
    assert at.stored("a") == wanted


def test_a_log_that_was_rotated_since_the_last_controller_is_partial(
    scene: Callable[..., Scene],
) -> None:
    store = LogStore()
    store.stored = b"what was there"
    at = scene([LINE], store=store)
    at.follow("a")
    found = at.stored("a")
    assert (found.state, found.reason) == (LogState.PARTIAL, "LogRotated")
    assert found.bytes == len(store.stored)


def test_after_a_stop_nothing_begins_and_what_goes_on_is_left_to_the_next(
    scene: Callable[..., Scene],
) -> None:
    at = scene(fetchers=1)
    at.kubelet.scripts = [at.held()]
    at.follow("a")
    soon("it is being read", lambda: at.kubelet.open)
    at.reporter.stop()
    at.gate.set()
    soon("the follower has ended", at.idle)
    assert not at.follow("b")
    assert not at.follow("c", "terminated")
    assert at.done == []
    assert at.reporter.log(key("a")) is None


def test_a_stop_does_not_wait_for_an_api_that_is_away(scene: Callable[..., Scene]) -> None:
    at = scene([LINE], store=LogStore(*[NEVER] * 100_000))
    at.follow("a")
    soon("it has been tried", lambda: len(at.store.faults) < 100_000)
    at.reporter.stop()
    soon("the follower has ended", at.idle)
    assert at.done == []
