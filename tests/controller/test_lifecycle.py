"""The lifecycle of a run, from its request to its end, without faults."""

from typing import Any

import pytest

from sparktest.domain import FailureClass, LogState, Origin, Status
from sparktest.errors import InvalidError
from sparktest.kube.jobs import FINALIZER
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
    warnings,
)


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def test_a_testrun_passes_and_is_released(environment: FakeEnvironment) -> None:
    assert begin(environment).status is Status.RUNNING
    run = end(environment)
    assert run.status is Status.SUCCEEDED
    assert run.log.state is LogState.COMPLETE
    assert status(environment)["phase"] == "Succeeded"
    assert conditions(environment) == {
        "Registered": ("True", "Registered"),
        "Finished": ("True", "Succeeded"),
        "Succeeded": ("True", "Succeeded"),
    }
    testrun = environment.testrun()
    assert testrun is not None
    assert testrun["metadata"]["finalizers"] == []
    assert environment.cluster.jobs_created() == [run.job_name]
    assert warnings(environment) == []
    assert environment.controller.plans() == {}


def test_a_failed_test_is_in_the_status_and_records_no_event(environment: FakeEnvironment) -> None:
    begin(environment)
    run = end(environment, 3)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert (run.failure.class_, run.failure.exit_code) == (FailureClass.TEST, 3)
    assert status(environment)["failure"]["exitCode"] == 3
    assert conditions(environment)["Succeeded"] == ("False", "Error")
    assert conditions(environment)["Finished"] == ("True", "Failed")
    assert warnings(environment) == []


def test_a_test_past_its_timeout_has_timed_out_and_keeps_its_log(
    environment: FakeEnvironment,
) -> None:
    begin(environment, timeoutSeconds=60)
    run = end(environment, 137, reason="DeadlineExceeded")
    assert run.status is Status.TIMED_OUT
    assert run.failure is not None
    assert run.failure.message == "the run took longer than its timeout of 60 s"
    assert run.log.state is LogState.COMPLETE
    assert status(environment)["phase"] == "TimedOut"
    assert only_job(environment)["metadata"]["name"] == run.job_name


def test_an_eviction_is_an_infrastructure_failure(environment: FakeEnvironment) -> None:
    begin(environment)
    run = end(environment, 137, reason="Evicted", message="low on memory")
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.INFRA, "Evicted")
    assert warnings(environment) == ["Evicted"]


def test_the_ttl_is_patched_only_after_the_log_is_stored(environment: FakeEnvironment) -> None:
    run = begin(environment, ttlSecondsAfterFinished=0)
    environment.controller.log_collector.hold = True
    end(environment)
    assert "ttlSecondsAfterFinished" not in only_job(environment)["spec"]
    assert only_run(environment).status is Status.RUNNING
    assert "finishedAt" not in status(environment)
    environment.controller.log_collector.hold = False
    environment.settle()
    assert only_job(environment)["spec"]["ttlSecondsAfterFinished"] == 0
    assert environment.api.runs[run.id].status is Status.SUCCEEDED


def test_the_job_of_a_testrun_without_ttl_stays_with_it(environment: FakeEnvironment) -> None:
    begin(environment)
    end(environment)
    assert "ttlSecondsAfterFinished" not in only_job(environment)["spec"]


def test_other_finalizers_stay_as_they_are(environment: FakeEnvironment) -> None:
    testrun = environment.apply()
    environment.cluster.put(
        TESTRUNS, testrun | {"metadata": testrun["metadata"] | {"finalizers": ["a/b", "c/d"]}}
    )
    started(environment)
    assert finalizers(environment) == ["a/b", "c/d", FINALIZER]
    found = environment.cluster.get(TESTRUNS, NAMESPACE, "smoke")
    found["metadata"]["finalizers"].insert(0, "late/r")
    environment.cluster.put(TESTRUNS, found)
    end(environment)
    assert finalizers(environment) == ["late/r", "a/b", "c/d"]


def finalizers(environment: FakeEnvironment) -> Any:
    return (environment.testrun() or {})["metadata"]["finalizers"]


def test_a_testrun_of_an_unknown_definition_is_registered_and_fails(
    environment: FakeEnvironment,
) -> None:
    environment.apply(image=None, definitionId="11111111-1111-4111-8111-111111111111")
    environment.settle()
    run = only_run(environment)
    assert run.status is Status.FAILED
    assert status(environment)["failure"] == {
        "class": "config",
        "reason": "DefinitionNotFound",
        "message": "no such definition",
    }
    assert conditions(environment)["Registered"] == ("True", "Registered")
    assert warnings(environment) == ["DefinitionNotFound"]
    assert environment.cluster.all(JOBS) == []
    assert finalizers(environment) == []


def test_a_testrun_that_the_api_rejects_fails_and_is_not_retried(
    environment: FakeEnvironment,
) -> None:
    environment.api.refuse_registration = InvalidError("/timeoutSeconds: must be at least 1")
    environment.apply()
    environment.settle()
    assert status(environment)["phase"] == "Failed"
    assert conditions(environment) == {
        "Registered": ("False", "Invalid"),
        "Finished": ("True", "Failed"),
        "Succeeded": ("False", "Invalid"),
    }
    assert status(environment)["failure"]["message"] == "/timeoutSeconds: must be at least 1"
    assert warnings(environment) == ["Invalid"]
    assert finalizers(environment) == []
    assert environment.controller.plans() == {}


# --- runs of the API -----------------------------------------------------------------------------


def test_an_api_run_needs_no_testrun_and_no_crd(environment: FakeEnvironment) -> None:
    run = environment.api.add()
    assert started(environment).status is Status.RUNNING
    assert environment.api.runs[run.id].cluster == "here"
    assert end(environment).status is Status.SUCCEEDED
    job = only_job(environment)
    assert job["metadata"]["name"] == f"test-run-{run.id}"
    assert "ownerReferences" not in job["metadata"]
    assert job["spec"]["ttlSecondsAfterFinished"] == environment.settings.job_ttl_seconds
    assert all(resource != TESTRUNS for _, resource, _ in environment.cluster.writes)
    assert environment.controller.plans() == {}


def test_a_run_of_another_cluster_is_left_alone(environment: FakeEnvironment) -> None:
    run = environment.api.add(cluster="there")
    environment.settle()
    assert environment.api.runs[run.id] == run
    assert environment.cluster.writes == []


def test_a_run_that_another_cluster_claims_first_is_left_to_it(
    environment: FakeEnvironment,
) -> None:
    run = environment.api.add()
    environment.controller.poll()
    environment.api.change(run.id, cluster="there")
    environment.controller.work()
    environment.settle()
    assert environment.cluster.writes == []
    assert environment.api.runs[run.id].cluster == "there"


def test_a_foreign_job_with_the_name_is_not_adopted(environment: FakeEnvironment) -> None:
    run = environment.api.add()
    name = f"test-run-{run.id}"
    foreign = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"suspend": True}}
    environment.cluster.put(JOBS, foreign)
    environment.settle()
    after = only_run(environment)
    assert after.failure is not None
    assert after.failure.reason == "NameConflict"
    assert only_job(environment)["metadata"].get("labels") is None


def test_an_api_run_has_the_origin_api(environment: FakeEnvironment) -> None:
    environment.api.add()
    started(environment)
    assert end(environment).origin is Origin.API
