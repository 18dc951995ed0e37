"""The database is lost or restored from a backup, or two SparkTests have the same cluster."""

import pytest

from sparktest.domain import Failure, FailureClass, LogState, Run, Status
from sparktest.kube.resources import JOBS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.lifecycles import begin, end, only_job, only_run, status, stopped


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def ended_then_restored(environment: FakeEnvironment, code: int = 0) -> Run:
    """Restore the database to a backup from during the run; return the run as it had ended."""
    begin(environment)
    backup = environment.api.backup()
    ended = end(environment, code)
    environment.api.restore(backup)
    assert not only_run(environment).status.final
    return ended


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("code", [0, 3])
def test_a_run_whose_testrun_has_ended_ends_in_the_same_way_again(
    environment: FakeEnvironment, code: int, restarted: bool
) -> None:
    ended = ended_then_restored(environment, code)
    before = status(environment)
    if restarted:
        environment.restart()

    environment.settle()

    run = only_run(environment)
    assert (run.status, run.failure, run.finished_at) == (
        ended.status,
        ended.failure,
        ended.finished_at,
    )
    assert run.log.state is LogState.COMPLETE
    assert status(environment) == before
    assert len(environment.cluster.jobs_created()) == 1


@pytest.mark.parametrize("code", [0, 3])
def test_without_its_job_it_ends_as_the_status_of_the_testrun_says(
    environment: FakeEnvironment, code: int
) -> None:
    ended = ended_then_restored(environment, code)
    environment.delete_job(only_job(environment)["metadata"]["name"])

    environment.settle()

    run = only_run(environment)
    assert (run.status, run.failure, run.started_at, run.finished_at) == (
        ended.status,
        ended.failure,
        ended.started_at,
        ended.finished_at,
    )
    assert run.log.state is LogState.NONE
    assert environment.cluster.all(JOBS) == []


def test_a_request_to_cancel_it_ends_it_with_its_own_result(environment: FakeEnvironment) -> None:
    ended_then_restored(environment)
    run = only_run(environment)
    environment.api.change(run.id, cancel_requested_at=environment.now)

    environment.settle()

    assert only_run(environment).status is Status.SUCCEEDED


def test_an_older_crd_that_drops_the_failure_leaves_phase_and_reason(
    environment: FakeEnvironment,
) -> None:
    begin(environment, timeoutSeconds=60)
    backup = environment.api.backup()
    end(environment, 137, reason="DeadlineExceeded")
    testrun = environment.testrun()
    assert testrun is not None
    del testrun["status"]["failure"]
    environment.api.restore(backup)

    environment.settle()

    assert only_run(environment).failure == Failure(FailureClass.TIMEOUT, "DeadlineExceeded")


def test_a_run_that_goes_on_ends_in_a_restored_database(environment: FakeEnvironment) -> None:
    environment.apply()
    environment.settle()
    backup = environment.api.backup()
    environment.start_container(environment.pods()[0])
    environment.settle()
    assert only_run(environment).status is Status.RUNNING
    environment.api.restore(backup)
    environment.settle()
    assert only_run(environment).status is Status.RUNNING

    assert end(environment, 3).status is Status.FAILED


def test_a_testrun_that_goes_on_is_registered_again_in_a_lost_database(
    environment: FakeEnvironment,
) -> None:
    empty = environment.api.backup()
    first = begin(environment)
    environment.api.restore(empty)
    environment.settle()
    second = only_run(environment)
    assert second.id != first.id
    assert second.status is Status.RUNNING

    assert end(environment).status is Status.SUCCEEDED

    assert only_run(environment).log.state is LogState.COMPLETE
    assert environment.api.logs == {(second.id, "test"): b"line\n"}
    assert status(environment)["runId"] == second.id
    assert len(environment.cluster.jobs_created()) == 1


def test_a_log_that_is_stored_before_the_database_is_restored_is_stored_again(
    environment: FakeEnvironment,
) -> None:
    begin(environment)
    backup = environment.api.backup()
    environment.end_container(environment.pods()[0])
    environment.controller.deliver()
    environment.controller.work()
    environment.controller.log_collector.read()
    environment.api.restore(backup)

    environment.settle()

    run = only_run(environment)
    assert (run.status, run.log.state) == (Status.SUCCEEDED, LogState.COMPLETE)
    assert environment.api.logs == {(run.id, "test"): b"line\n"}


def test_a_testrun_that_goes_on_can_be_cancelled_after_the_database_was_lost(
    environment: FakeEnvironment,
) -> None:
    empty = environment.api.backup()
    begin(environment)
    environment.api.restore(empty)
    environment.settle()
    environment.api.change(only_run(environment).id, cancel_requested_at=environment.now)

    assert stopped(environment).status is Status.CANCELLED


@pytest.mark.parametrize("has_job", [True, False])
def test_a_testrun_that_has_ended_appears_again_in_a_lost_database(
    environment: FakeEnvironment, has_job: bool
) -> None:
    empty = environment.api.backup()
    begin(environment)
    ended = end(environment, 3)
    environment.api.restore(empty)
    if not has_job:
        environment.delete_job(only_job(environment)["metadata"]["name"])

    environment.settle()

    run = only_run(environment)
    assert run.id != ended.id
    assert (run.status, run.failure, run.finished_at) == (
        ended.status,
        ended.failure,
        ended.finished_at,
    )
    assert status(environment)["runId"] == run.id
    environment.restart()
    writes = len(environment.cluster.writes)
    environment.settle()
    assert len(environment.cluster.writes) == writes


@pytest.mark.parametrize("has_ended", [True, False])
def test_a_definition_that_was_lost_with_the_database_fails_no_run_that_was_started(
    environment: FakeEnvironment, has_ended: bool
) -> None:
    empty = environment.api.backup()
    run = begin(environment)
    environment.api.change(run.id, image="from the definition")
    testrun = environment.testrun()
    assert testrun is not None
    del testrun["spec"]["image"]
    environment.cluster.put(TESTRUNS, testrun)
    if has_ended:
        end(environment)
    environment.api.restore(empty)
    environment.settle()
    if not has_ended:
        end(environment)

    ended = only_run(environment)
    assert (ended.status, ended.log.state) == (Status.SUCCEEDED, LogState.COMPLETE)
    assert status(environment)["phase"] == "Succeeded"


def test_a_run_that_was_deleted_does_not_appear_again(environment: FakeEnvironment) -> None:
    begin(environment)
    run = end(environment)
    environment.api.delete(run.id)
    environment.settle()
    environment.restart()
    environment.settle()
    assert environment.api.runs == {}
    assert status(environment)["runId"] == run.id


def test_two_sparktests_on_one_cluster_agree_and_come_to_rest(environment: FakeEnvironment) -> None:
    other = FakeEnvironment()
    other.cluster = environment.cluster
    other.now = environment.now
    other.restart()
    begin(environment)
    other.settle()
    environment.settle()

    ended = end(environment, 3)
    other.settle()
    environment.settle()

    assert only_run(other).failure == ended.failure
    assert only_run(other).log.state is LogState.COMPLETE
    writes = len(environment.cluster.writes)
    for one in (other, environment):
        one.restart()
        one.settle()
    assert len(environment.cluster.writes) == writes
