"""The flight of a run, step by step, in a world that behaves."""

import pytest

from sparktest.domain import LogState, Run, Status
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    return World()


def only_run(world: World) -> Run:
    (run,) = world.api.runs.values()
    return run


def test_first(world: World) -> None:
    world.apply()
    world.settle()
    world.start_container(world.pods()[0])
    world.settle()
    assert only_run(world).status is Status.RUNNING
    world.end_container(world.pods()[0])
    world.settle()
    run = only_run(world)
    assert run.status is Status.SUCCEEDED
    assert run.log.state is LogState.COMPLETE
    testrun = world.testrun()
    assert testrun is not None
    assert testrun["status"]["phase"] == "Succeeded"
    assert testrun["metadata"]["finalizers"] == []
    assert world.cluster.jobs_created() == [run.job_name]
    assert world.controller.plans() == {}
