"""A run is brought as far as it can go now, and forgotten when nothing is left to do."""

from datetime import timedelta

import pytest

from sparktest.controller import reconcile
from sparktest.controller.steps import FetchRun
from sparktest.domain import Status
from sparktest.errors import ConflictError, UnavailableError
from tests.controller.flights import begin, end, only_run
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_one_pass_goes_from_the_testrun_to_its_job(world: World) -> None:
    world.apply()
    world.controller.deliver()
    (key,) = world.controller.queue
    world.controller.reconciler.reconcile(key)
    run = only_run(world)
    assert world.cluster.jobs_created() == [run.job_name]
    assert run.job_uid is not None


def test_what_failed_goes_on_from_where_it_was(world: World) -> None:
    world.apply()
    world.controller.deliver()
    (key,) = world.controller.queue
    world.faults.next = [None, None, "after"]
    with pytest.raises(UnavailableError):
        world.controller.reconciler.reconcile(key)
    world.controller.reconciler.reconcile(key)
    assert world.cluster.jobs_created() == [only_run(world).job_name]


def test_a_run_that_is_over_is_forgotten(world: World) -> None:
    begin(world)
    assert len(world.controller.book) == 1
    end(world)
    assert len(world.controller.book) == 0
    assert world.controller.reporter._logs == {}


def test_a_plan_without_end_is_an_error_that_names_the_last_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = world.api.add()
    monkeypatch.setattr(reconcile, "plan", lambda known, now: [FetchRun(run.id)])
    with pytest.raises(ConflictError, match=r"20 passes.*FetchRun"):
        world.controller.reconciler.reconcile((run.namespace, run.job_name))


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (1, True), (2, False), (-1, False)])
def test_what_the_api_said_is_fresh_for_a_moment_and_never_when_the_clock_was_set_back(
    world: World, seconds: int, fresh: bool
) -> None:
    run = world.api.add(status=Status.PENDING)
    key = (run.namespace, run.job_name)
    memo = world.controller.book.memo(key)
    memo.take(run, world.now)
    now = world.now + timedelta(seconds=seconds)
    assert world.controller.reconciler.known(key, memo, now).fresh is fresh
