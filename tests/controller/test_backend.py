"""The runs of the API come to the controller, and what waits for the API waits while it is away."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from sparktest.client import ApiClient
from sparktest.controller.backend import Backend, Pace
from sparktest.controller.run_states import RunStates
from sparktest.controller.testruns import Key
from sparktest.domain import Run, RunPage, Status
from sparktest.errors import UnavailableError
from tests.controller.fake_api import FakeApi
from tests.controller.faults import Faults
from tests.controller.objects import NOW
from tests.e2e.program import until

SLOW = Pace(poll=600.0)


class PagedApi(FakeApi):
    """An API that answers two runs a page and tells how many it has given."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock, Faults())
        self.given = 0
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
        self.given += len(page)
        return RunPage(runs=page, next=str(at + 2) if at + 2 < len(runs) else None)


class Scene:
    """A backend, what it told of, and the time."""

    def __init__(self, *, namespaces: tuple[str, ...] = (), pace: Pace | None = None) -> None:
        self.now = NOW
        self.api = PagedApi(lambda: self.now)
        self.run_states = RunStates()
        self.told: list[Key] = []
        self.sweeps = 0
        self.backend = Backend(
            cast("ApiClient", self.api),
            self.run_states,
            cluster="here",
            namespaces=namespaces,
            on_key=self.told.append,
            on_sweep=self._swept,
            clock=lambda: self.now,
            pace=pace,
        )

    def _swept(self) -> None:
        self.sweeps += 1

    def news(self) -> list[str]:
        """Poll once; the Jobs' names of the keys that it told of."""
        self.told.clear()
        self.backend.poll()
        return [name for _, name in self.told]

    def sweep(self) -> list[str]:
        """The same, when a sweep is due."""
        self.backend._swept_at = float("-inf")
        return self.news()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def names(*runs: Run) -> list[str]:
    return [run.job_name for run in runs]


def test_the_first_poll_finds_every_run_that_has_not_ended(scene: Scene) -> None:
    runs = [scene.api.add() for _ in range(5)]
    scene.api.add(status=Status.SUCCEEDED)
    assert scene.news() == names(*runs)
    assert scene.run_states.unfinished().keys() == set(scene.told)
    assert scene.sweeps == 1


def test_later_polls_bring_only_what_changed(scene: Scene) -> None:
    first = scene.api.add()
    scene.news()
    scene.now += timedelta(seconds=60)
    assert scene.news() == []
    second = scene.api.add()
    scene.api.change(first.id, cancel_requested_at=scene.now)
    assert scene.news() == names(first, second)
    scene.now += timedelta(seconds=60)
    scene.api.add()
    scene.news()
    scene.api.given = 0
    assert scene.news() == []
    assert scene.api.given == 1
    assert scene.sweeps == 1


def test_a_page_that_fails_is_asked_for_again(scene: Scene) -> None:
    scene.news()
    scene.now += timedelta(seconds=60)
    runs = [scene.api.add() for _ in range(2)]
    scene.now += timedelta(seconds=60)
    runs += [scene.api.add() for _ in range(2)]
    scene.api.runs = dict(reversed(scene.api.runs.items()))
    scene.api.fails_at = 2
    with pytest.raises(UnavailableError):
        scene.news()
    assert scene.told == [(run.namespace, run.job_name) for run in reversed(runs[2:])]
    assert scene.news() == names(*reversed(runs[:2]))


def test_a_change_that_the_clock_of_the_api_puts_a_little_back_is_not_missed(scene: Scene) -> None:
    scene.api.add()
    scene.news()
    late = scene.api.add(updated_at=scene.now - timedelta(seconds=4))
    assert scene.news() == names(late)


def test_runs_of_other_clusters_namespaces_and_without_a_name_are_not_looked_at() -> None:
    scene = Scene(namespaces=("tests",))
    scene.api.add(cluster="there")
    scene.api.add(namespace="elsewhere")
    scene.api.add(job_name="")
    ours = [scene.api.add(), scene.api.add(cluster="here")]
    assert scene.news() == names(*ours)


def test_an_api_that_does_not_filter_by_namespace_brings_no_run_of_another(scene: Scene) -> None:
    narrow = Scene(namespaces=("tests",))
    run = narrow.api.add(namespace="elsewhere")
    assert not narrow.backend._ours(run)
    assert scene.backend._ours(run)


def test_a_run_that_a_sweep_misses_is_asked_for(scene: Scene) -> None:
    ended, deleted, going_on = (scene.api.add() for _ in range(3))
    scene.news()
    scene.api.change(ended.id, status=Status.CANCELLED)
    scene.api.delete(deleted.id)
    scene.now += timedelta(seconds=60)
    assert scene.news() == []
    assert scene.sweep() == names(ended, deleted)
    audited = {key for key in scene.told if scene.run_states.get(key).verify_exists}
    assert audited == set(scene.told)
    assert not scene.run_states.get((going_on.namespace, going_on.job_name)).verify_exists
    assert scene.sweeps == 2


# --- away ----------------------------------------------------------------------------------------


@pytest.fixture
def polling() -> Iterator[Callable[[Pace], Scene]]:
    """Starts a backend's thread, which has to end with the test."""
    scenes: list[Scene] = []

    def start(pace: Pace) -> Scene:
        scene = Scene(pace=pace)
        scenes.append(scene)
        scene.backend.start()
        return scene

    yield start
    for scene in scenes:
        scene.backend.stop()
        assert not scene.backend._thread.is_alive()


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, seconds=5, every=0.005)


@pytest.mark.parametrize("error", [None, ValueError("not JSON")], ids=["away", "not understood"])
def test_what_waits_for_the_api_is_looked_at_when_it_answers_again(
    polling: Callable[[Pace], Scene], error: Exception | None
) -> None:
    scene = polling(Pace(poll=0.005))
    scene.api.down, scene.api.broken = True, error
    soon("it is away", lambda: scene.backend.away)
    scene.backend.park(("tests", "a"))
    scene.backend.park(("tests", "a"))
    assert scene.backend.away_since == NOW
    assert scene.told == []
    scene.api.down, scene.api.broken = False, None
    soon("it is back", lambda: scene.told)
    assert scene.told == [("tests", "a")]
    assert scene.backend.away is None


def test_the_time_since_when_it_is_away_is_that_of_the_first_failure(scene: Scene) -> None:
    scene.backend._failed("refused")
    scene.now += timedelta(seconds=60)
    scene.backend._failed("timed out")
    assert (scene.backend.away, scene.backend.away_since) == ("timed out", NOW)


def test_what_would_wait_is_looked_at_at_once_where_the_api_answers(scene: Scene) -> None:
    scene.backend.park(("tests", "a"))
    assert scene.told == [("tests", "a")]


def test_a_check_does_not_wait_for_the_next_poll(polling: Callable[[Pace], Scene]) -> None:
    scene = polling(SLOW)
    soon("the first poll is done", lambda: scene.sweeps)
    run = scene.api.add()
    scene.backend.check()
    soon("the run is found", lambda: scene.told)
    assert scene.told == [(run.namespace, run.job_name)]
