"""Runs that are stopped, or whose objects are deleted, before their test has ended."""

import pytest

from sparktest.controller.circuit_breaker import MAX_FAILURES, TRIAL_INTERVAL
from sparktest.domain import FailureClass, LogState, Run, Status
from sparktest.kube.resources import JOBS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import (
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


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def why(run: Run) -> tuple[str, str]:
    assert run.failure is not None
    return run.failure.class_.value, run.failure.reason


def test_spec_cancelled_ends_the_test_and_keeps_its_log(environment: FakeEnvironment) -> None:
    begin(environment)
    environment.edit(cancelled=True)
    run = stopped(environment)
    assert run.status is Status.CANCELLED
    assert why(run) == ("cancelled", "Cancelled")
    assert run.log.state is LogState.COMPLETE
    assert status(environment)["phase"] == "Cancelled"
    assert status(environment)["failure"]["message"] == "spec.cancelled was set to true"
    assert conditions(environment)["Finished"] == ("True", "Cancelled")
    assert len(environment.cluster.all(JOBS)) == 1
    assert warnings(environment) == []


def test_a_cancel_in_the_api_ends_the_test_and_keeps_its_log(environment: FakeEnvironment) -> None:
    run = begin(environment)
    environment.api.change(run.id, cancel_requested_at=environment.now)
    run = stopped(environment)
    assert run.status is Status.CANCELLED
    assert run.log.state is LogState.COMPLETE
    assert status(environment)["failure"]["message"] == "the run was cancelled in SparkTest"


def test_a_test_that_ends_by_itself_before_the_cancel_keeps_its_result(
    environment: FakeEnvironment,
) -> None:
    run = begin(environment)
    environment.api.change(run.id, cancel_requested_at=environment.now)
    assert end(environment).status is Status.SUCCEEDED


def test_a_cancel_before_there_is_a_job_makes_none(environment: FakeEnvironment) -> None:
    environment.apply(cancelled=True)
    environment.settle()
    assert only_run(environment).status is Status.CANCELLED
    assert environment.cluster.jobs_created() == []
    assert status(environment)["phase"] == "Cancelled"


def test_a_cancel_of_a_pod_without_a_node_suspends_its_job(environment: FakeEnvironment) -> None:
    environment.apply(ttlSecondsAfterFinished=60)
    environment.settle()
    environment.edit(cancelled=True)
    environment.settle()
    run = only_run(environment)
    assert run.status is Status.CANCELLED
    assert (run.log.state, run.log.reason) == (LogState.NONE, "NotStarted")
    assert environment.pods() == []
    # A TTL never takes a Job that did not finish.
    assert environment.cluster.all(JOBS) == []


def test_a_deleted_testrun_is_released_after_its_final_status(environment: FakeEnvironment) -> None:
    begin(environment)
    environment.delete_testrun()
    environment.settle()
    assert environment.testrun() is not None
    run = stopped(environment)
    assert why(run) == ("cancelled", "ObjectDeleted")
    assert run.log.state is LogState.COMPLETE
    assert environment.testrun() is None
    assert environment.cluster.all(JOBS) == []


def test_a_deleted_testrun_has_its_test_stopped_while_writes_to_the_api_fail(
    environment: FakeEnvironment,
) -> None:
    begin(environment)
    environment.apply("waiting")
    environment.api.writes_down = True
    for _ in range(MAX_FAILURES):
        environment.controller.deliver()
        environment.controller.work()
    assert environment.controller.breaker.error
    environment.delete_testrun()
    environment.controller.deliver()
    environment.controller.work()
    environment.enforce_deadlines()
    (pod,) = environment.pods()
    assert pod["status"]["phase"] == "Failed"
    assert environment.testrun() is not None
    environment.api.writes_down = False
    environment.pass_time(TRIAL_INTERVAL.total_seconds())
    environment.settle()
    assert environment.testrun() is None
    assert {run.status for run in environment.api.runs.values()} == {
        Status.CANCELLED,
        Status.PENDING,
    }


def test_a_finished_testrun_is_deleted_at_once(environment: FakeEnvironment) -> None:
    begin(environment)
    end(environment)
    environment.delete_testrun()
    assert environment.testrun() is None


def test_deleting_a_run_in_the_api_deletes_its_job_and_keeps_the_testrun(
    environment: FakeEnvironment,
) -> None:
    run = begin(environment)
    end(environment)
    before = status(environment)
    environment.api.delete(run.id)
    environment.pass_time(3)
    environment.settle()
    assert environment.cluster.all(JOBS) == []
    assert status(environment) == before


def test_deleting_an_api_run_deletes_its_job(environment: FakeEnvironment) -> None:
    run = environment.api.add()
    started(environment)
    end(environment)
    environment.api.delete(run.id)
    environment.pass_time(3)
    environment.settle()
    assert environment.cluster.all(JOBS) == []
    assert environment.controller.plans() == {}


def test_a_testrun_whose_unfinished_run_was_deleted_fails(environment: FakeEnvironment) -> None:
    run = begin(environment)
    environment.api.delete(run.id)
    environment.pass_time(3)
    environment.settle()
    assert environment.cluster.all(JOBS) == []
    assert status(environment)["failure"]["message"] == "its run was deleted in SparkTest"
    assert status(environment)["failure"]["class"] == FailureClass.INFRA
    assert (environment.testrun() or {})["metadata"]["finalizers"] == []
    assert environment.controller.plans() == {}


def test_a_job_deleted_by_hand_is_an_outcome_and_not_created_again(
    environment: FakeEnvironment,
) -> None:
    run = begin(environment)
    environment.delete_job(run.job_name)
    environment.settle()
    assert why(only_run(environment)) == ("infra", "JobDeleted")
    assert environment.cluster.jobs_created() == [run.job_name]
    assert status(environment)["phase"] == "Failed"
    assert warnings(environment) == ["JobDeleted"]


def test_a_run_whose_testrun_and_job_are_gone_ends_as_object_gone(
    environment: FakeEnvironment,
) -> None:
    run = begin(environment)
    environment.api.down = True
    found = environment.cluster.get(TESTRUNS, NAMESPACE, "smoke")
    found["metadata"]["finalizers"] = []
    environment.cluster.put(TESTRUNS, found)
    environment.delete_testrun()
    environment.job_controller()
    assert environment.cluster.all(JOBS) == []
    environment.restart()
    environment.api.down = False
    environment.settle()
    assert why(only_run(environment)) == ("infra", "ObjectGone")
    assert environment.cluster.jobs_created() == [run.job_name]


def test_a_testrun_created_again_under_its_name_is_another_run(
    environment: FakeEnvironment,
) -> None:
    first = begin(environment)
    end(environment)
    environment.delete_testrun()
    environment.settle()
    environment.apply()
    environment.settle()
    environment.start_container(environment.pods()[0])
    environment.settle()
    runs = environment.api.runs
    assert len(runs) == 2
    assert runs[first.id].status is Status.SUCCEEDED
    assert only_job(environment)["metadata"]["name"] != first.job_name


def test_an_api_run_that_is_cancelled_ends(environment: FakeEnvironment) -> None:
    run = environment.api.add()
    started(environment)
    environment.api.change(run.id, cancel_requested_at=environment.now)
    assert stopped(environment).status is Status.CANCELLED
    assert environment.controller.plans() == {}
