from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.api_run_poller import ApiRunPoller, Timings
from sparktest.controller.circuit_breaker import CircuitBreaker
from sparktest.controller.run_states import RunStates
from sparktest.controller.testruns import Key
from sparktest.domain import Run, RunPage, Status
from sparktest.errors import UnavailableError
from tests.controller.fake_api import FakeApi
from tests.controller.faults import Faults
from tests.controller.objects import NOW
from tests.e2e.program import until


class PagedApi(FakeApi):
    """An API that answers two runs a page and counts how many it has returned."""

    def __init__(self, setup: "Setup") -> None:
        super().__init__(lambda: setup.now, Faults())
        self.returned = 0
        self.broken: Exception | None = None
        self.fails_at: int | None = None

    def list_runs(self, **query: Any) -> RunPage:
        if self.broken:
            raise self.broken
        runs = super().list_runs(**query).runs
        at = int(query["cursor"] or 0)
        if at == self.fails_at:
            self.fails_at = None
            raise UnavailableError("no second page")
        page = runs[at : at + 2]
        self.returned += len(page)
        return RunPage(runs=page, next=str(at + 2) if at + 2 < len(runs) else None)


class Setup:
    """A poller, the keys that it reported, and the time."""

    def __init__(self, *, namespaces: tuple[str, ...] = (), timings: Timings | None = None) -> None:
        self.now = NOW
        self.api = PagedApi(self)
        self.run_states = RunStates()
        self.keys: list[Key] = []
        self.sweeps = 0
        self.breaker = CircuitBreaker(
            on_key=self.keys.append, on_open=lambda: None, clock=lambda: self.now
        )
        self.poller = ApiRunPoller(
            cast("ApiClient", self.api),
            self.run_states,
            self.breaker,
            cluster="here",
            namespaces=namespaces,
            on_key=self.keys.append,
            on_sweep=self._swept,
            clock=lambda: self.now,
            monotonic=lambda: (self.now - NOW).total_seconds(),
            timings=timings,
        )

    def _swept(self) -> None:
        self.sweeps += 1

    def poll_for(self, seconds: float) -> list[str]:
        """Poll for this time; return the Job names of the reported keys."""
        self.keys.clear()
        end = self.now + timedelta(seconds=seconds)
        while True:
            elapsed = (self.now - NOW).total_seconds()
            # At least a microsecond: a timedelta rounds.
            due = self.now + timedelta(seconds=max(self.poller._poller.delay(elapsed), 1e-6))
            if due > end:
                break
            self.now = due
            self.poller.poll_once()
        self.now = end
        return [name for _, name in self.keys]

    def poll(self) -> list[str]:
        """Poll for a little more than one interval."""
        return self.poll_for(1.5)

    def sweep(self) -> list[str]:
        """Poll until another sweep has ended."""
        return self.poll_for(301)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def names(*runs: Run) -> list[str]:
    return [run.job_name for run in runs]


def test_the_first_sweep_finds_every_unfinished_run(setup: Setup) -> None:
    runs = [setup.api.add() for _ in range(5)]
    setup.api.add(status=Status.SUCCEEDED)
    assert setup.poll() == names(*runs)
    assert setup.run_states.unfinished().keys() == set(setup.keys)
    assert setup.sweeps == 1


def test_later_polls_report_only_changed_runs(setup: Setup) -> None:
    first = setup.api.add()
    setup.poll()
    assert setup.poll_for(60) == []
    second = setup.api.add()
    setup.api.change(first.id, cancel_requested_at=setup.now)
    assert setup.poll() == names(first, second)
    assert setup.poll_for(60) == []
    assert setup.sweeps == 1


def test_runs_that_no_longer_change_are_not_read_again(setup: Setup) -> None:
    for _ in range(5):
        setup.api.add()
    setup.poll_for(15)
    setup.api.returned = 0
    assert setup.poll_for(60) == []
    assert setup.api.returned == 0


def test_a_page_that_fails_is_requested_again(setup: Setup) -> None:
    setup.poll_for(60)
    runs = [setup.api.add() for _ in range(4)]
    setup.api.fails_at = 2
    assert set(setup.poll_for(10)) == set(names(*runs))


def test_a_change_that_becomes_visible_late_is_not_missed(setup: Setup) -> None:
    setup.api.add()
    setup.poll()
    late = setup.api.add(updated_at=setup.now - timedelta(seconds=4))
    assert setup.poll() == names(late)


def test_runs_of_other_clusters_and_namespaces_and_without_a_job_name_are_ignored() -> None:
    setup = Setup(namespaces=("tests",))
    setup.api.add(cluster="there")
    setup.api.add(namespace="elsewhere")
    setup.api.add(job_name="")
    ours = [setup.api.add(), setup.api.add(cluster="here")]
    assert setup.poll() == names(*ours)


def test_runs_of_other_namespaces_are_ignored_even_if_the_api_does_not_filter(setup: Setup) -> None:
    narrow = Setup(namespaces=("tests",))
    run = narrow.api.add(namespace="elsewhere")
    assert not narrow.poller._is_ours(run)
    assert setup.poller._is_ours(run)


def test_a_run_that_a_sweep_misses_is_verified(setup: Setup) -> None:
    ended, deleted, running = (setup.api.add() for _ in range(3))
    setup.poll()
    setup.api.change(ended.id, status=Status.CANCELLED)
    setup.api.delete(deleted.id)
    assert setup.poll_for(60) == []
    assert setup.sweep() == names(ended, deleted)
    for run in (ended, deleted):
        assert setup.run_states.get((run.namespace, run.job_name)).verify_exists
    assert not setup.run_states.get((running.namespace, running.job_name)).verify_exists
    assert setup.sweeps == 2


def test_the_sweep_after_a_failure_does_not_call_on_sweep_again(setup: Setup) -> None:
    setup.poll()
    setup.api.down = True
    setup.poll_for(10)
    setup.api.down = False
    lost = setup.api.add(updated_at=setup.now - timedelta(hours=1))
    assert setup.poll_for(10) == names(lost)
    assert setup.sweeps == 1


# --- an API that cannot be reached ---------------------------------------------------------------


@pytest.mark.parametrize("error", [None, ValueError("not JSON")], ids=["down", "not JSON"])
def test_an_api_that_is_back_is_noticed_within_five_seconds(
    setup: Setup, error: Exception | None
) -> None:
    setup.api.down, setup.api.broken = True, error
    setup.poll_for(600)
    assert setup.breaker.error == ("ValueError" if error else "the API does not answer")
    setup.api.down, setup.api.broken = False, None
    setup.poll_for(5.1)
    assert setup.breaker.error is None


# --- the thread ----------------------------------------------------------------------------------


@pytest.fixture
def started() -> Iterator[Callable[[Timings], Setup]]:
    """Start a poller's thread, which has to end with the test."""
    made: list[Setup] = []

    def start(timings: Timings) -> Setup:
        setup = Setup(timings=timings)
        made.append(setup)
        setup.poller.start()
        return setup

    yield start
    for setup in made:
        setup.poller.stop()
        assert not setup.poller._thread.is_alive()


@pytest.mark.parametrize("down", [True, False])
def test_the_thread_polls_until_it_is_stopped(
    started: Callable[[Timings], Setup], down: bool
) -> None:
    # Without a delay: the clock does not advance.
    setup = started(Timings(poll_seconds=0.0, backoff=Backoff(first=0.0, cap=0.0)))
    setup.api.down = down
    run = setup.api.add()
    if down:
        until("it fails", lambda: setup.breaker.error, every=0.005)
        setup.api.down = False
    until("the run is found", lambda: setup.keys, every=0.005)
    assert setup.keys == [(run.namespace, run.job_name)]


def test_a_poller_that_was_not_started_can_be_stopped(setup: Setup) -> None:
    setup.poller.stop()
