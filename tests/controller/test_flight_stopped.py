"""Runs that somebody ends, or takes something of away, before their test has ended."""

import pytest

from sparktest.domain import FailureClass, LogState, Run, Status
from sparktest.kube.cluster import JOBS, TESTRUNS
from tests.controller.flights import (
    begin,
    conditions,
    end,
    only_job,
    only_run,
    started,
    status,
    stopped,
    warnings,
)
from tests.controller.machinery import NAMESPACE
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    return World()


def why(run: Run) -> tuple[str, str]:
    assert run.failure is not None
    return run.failure.class_.value, run.failure.reason


def test_spec_cancelled_ends_the_test_and_keeps_its_log(world: World) -> None:
    begin(world)
    world.edit(cancelled=True)
    run = stopped(world)
    assert run.status is Status.CANCELLED
    assert why(run) == ("cancelled", "Cancelled")
    assert run.log.state is LogState.COMPLETE
    assert status(world)["phase"] == "Cancelled"
    assert status(world)["message"] == "spec.cancelled was set to true"
    assert conditions(world)["Finished"] == ("True", "Cancelled")
    assert len(world.cluster.all(JOBS)) == 1
    assert warnings(world) == []


def test_a_cancel_in_the_api_ends_the_test_and_keeps_its_log(world: World) -> None:
    run = begin(world)
    world.api.change(run.id, cancel_requested_at=world.now)
    run = stopped(world)
    assert run.status is Status.CANCELLED
    assert run.log.state is LogState.COMPLETE
    assert status(world)["message"] == "the run was cancelled in SparkTest"


def test_a_test_that_ends_by_itself_before_the_cancel_keeps_its_result(world: World) -> None:
    run = begin(world)
    world.api.change(run.id, cancel_requested_at=world.now)
    assert end(world).status is Status.SUCCEEDED


def test_a_cancel_before_there_is_a_job_makes_none(world: World) -> None:
    world.apply(cancelled=True)
    world.settle()
    assert only_run(world).status is Status.CANCELLED
    assert world.cluster.jobs_created() == []
    assert status(world)["phase"] == "Cancelled"


def test_a_cancel_of_a_pod_without_a_node_suspends_its_job(world: World) -> None:
    world.apply(ttlSecondsAfterFinished=60)
    world.settle()
    world.edit(cancelled=True)
    world.settle()
    run = only_run(world)
    assert run.status is Status.CANCELLED
    assert (run.log.state, run.log.reason) == (LogState.NONE, "NotStarted")
    assert world.pods() == []
    # A TTL never takes a Job that did not finish.
    assert world.cluster.all(JOBS) == []


def test_a_testrun_that_is_deleted_goes_when_its_end_is_recorded(world: World) -> None:
    begin(world)
    world.delete_testrun()
    world.settle()
    assert world.testrun() is not None
    run = stopped(world)
    assert why(run) == ("cancelled", "ObjectDeleted")
    assert run.log.state is LogState.COMPLETE
    assert world.testrun() is None
    assert world.cluster.all(JOBS) == []


def test_a_finished_testrun_goes_at_once(world: World) -> None:
    begin(world)
    end(world)
    world.delete_testrun()
    assert world.testrun() is None


def test_a_run_that_is_deleted_in_the_api_takes_its_job_along_and_leaves_the_testrun(
    world: World,
) -> None:
    run = begin(world)
    end(world)
    before = status(world)
    world.api.delete(run.id)
    world.pass_time(3)
    world.settle()
    assert world.cluster.all(JOBS) == []
    assert status(world) == before


def test_an_api_run_that_is_deleted_takes_its_job_along(world: World) -> None:
    run = world.api.add()
    started(world)
    end(world)
    world.api.delete(run.id)
    world.pass_time(3)
    world.settle()
    assert world.cluster.all(JOBS) == []
    assert world.controller.plans() == {}


def test_a_testrun_whose_run_was_deleted_unrecorded_says_so(world: World) -> None:
    run = begin(world)
    world.api.delete(run.id)
    world.pass_time(3)
    world.settle()
    assert world.cluster.all(JOBS) == []
    assert status(world)["message"] == "its run was deleted in SparkTest"
    assert status(world)["failure"]["class"] == FailureClass.INFRA
    assert (world.testrun() or {})["metadata"]["finalizers"] == []
    assert world.controller.plans() == {}


def test_a_job_that_is_deleted_by_hand_is_an_outcome_and_not_made_again(world: World) -> None:
    run = begin(world)
    world.delete_job(run.job_name)
    world.settle()
    assert why(only_run(world)) == ("infra", "JobDeleted")
    assert world.cluster.jobs_created() == [run.job_name]
    assert status(world)["phase"] == "Failed"
    assert warnings(world) == ["JobDeleted"]


def test_a_run_whose_testrun_and_job_are_both_gone_is_closed(world: World) -> None:
    run = begin(world)
    world.api.down = True
    found = world.cluster.get(TESTRUNS, NAMESPACE, "smoke")
    found["metadata"]["finalizers"] = []
    world.cluster.put(TESTRUNS, found)
    world.delete_testrun()
    world.job_controller()
    assert world.cluster.all(JOBS) == []
    world.restart()
    world.api.down = False
    world.settle()
    assert why(only_run(world)) == ("infra", "ObjectGone")
    assert world.cluster.jobs_created() == [run.job_name]


def test_a_testrun_that_is_made_again_under_its_name_is_another_run(world: World) -> None:
    first = begin(world)
    end(world)
    world.delete_testrun()
    world.settle()
    world.apply()
    world.settle()
    world.start_container(world.pods()[0])
    world.settle()
    runs = world.api.runs
    assert len(runs) == 2
    assert runs[first.id].status is Status.SUCCEEDED
    assert only_job(world)["metadata"]["name"] != first.job_name


def test_an_api_run_that_is_cancelled_ends(world: World) -> None:
    run = world.api.add()
    started(world)
    world.api.change(run.id, cancel_requested_at=world.now)
    assert stopped(world).status is Status.CANCELLED
    assert world.controller.plans() == {}
