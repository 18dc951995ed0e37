"""Runs that have to wait: for an image, a service account, a quota, a node, or the API."""

from datetime import timedelta

import pytest

from sparktest.controller.testruns import ABANDON
from sparktest.domain import Status
from sparktest.errors import ForbiddenError
from sparktest.kube.resources import JOBS, PODS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import (
    begin,
    conditions,
    end,
    only_run,
    started,
    status,
    stopped,
    warnings,
)

NO_ACCOUNT = 'pods "x" is forbidden: error looking up service account tests/none: not found'
QUOTA = 'pods "x" is forbidden: exceeded quota: small, used: pods=1, limited: pods=1'
TERMINATING = 'jobs "x" is forbidden: unable to create new content, it is being terminated'


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def fail_to_pull(environment: FakeEnvironment) -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}
    environment.container(environment.pods()[0], waiting, "Pending")


def test_an_image_that_cannot_be_pulled_fails_the_run_after_the_timeout(
    environment: FakeEnvironment,
) -> None:
    environment.apply()
    environment.settle()
    fail_to_pull(environment)
    began = environment.now
    run = stopped(environment)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("config", "ImagePullBackOff")
    assert environment.now - began >= timedelta(
        seconds=environment.settings.image_pull_timeout_seconds
    )
    assert status(environment)["reason"] == "ImagePullBackOff"
    assert warnings(environment) == ["ImagePullBackOff"]


def test_a_waiting_run_has_its_reason(environment: FakeEnvironment) -> None:
    environment.apply()
    environment.settle()
    fail_to_pull(environment)
    environment.controller.deliver()
    environment.controller.work()
    run = only_run(environment)
    assert (run.status, run.status_reason) == (Status.PENDING, "ImagePullBackOff")
    assert run.status_message == "no such host"
    assert status(environment)["reason"] == "ImagePullBackOff"
    assert conditions(environment)["Finished"] == ("False", "ImagePullBackOff")


def test_an_image_that_is_pulled_late_is_no_failure(environment: FakeEnvironment) -> None:
    environment.apply()
    environment.settle()
    fail_to_pull(environment)
    environment.controller.deliver()
    environment.controller.work()
    environment.start_container(environment.pods()[0])
    environment.settle()
    assert end(environment).status is Status.SUCCEEDED
    assert "reason" not in status(environment)


def test_a_missing_service_account_is_read_from_the_events_of_the_job(
    environment: FakeEnvironment,
) -> None:
    environment.cluster.create_errors[PODS] = ForbiddenError(NO_ACCOUNT)
    environment.apply(serviceAccountName="none")
    environment.settle()
    run = only_run(environment)
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("config", "FailedCreate")
    assert run.failure.message == NO_ACCOUNT
    assert environment.now - run.created_at < timedelta(seconds=60)


def test_a_run_waits_for_a_quota(environment: FakeEnvironment) -> None:
    environment.cluster.create_errors[PODS] = ForbiddenError(QUOTA)
    environment.apply(timeoutSeconds=600)
    for _ in range(40):
        environment.job_controller()
        environment.controller.deliver()
        environment.controller.work()
        environment.pass_time(1)
    run = only_run(environment)
    assert (run.status, run.status_reason) == (Status.PENDING, "FailedCreate")
    assert "exceeded quota" in (run.status_message or "")
    del environment.cluster.create_errors[PODS]
    started(environment)
    assert end(environment).status is Status.SUCCEEDED


def test_a_quota_that_stays_exhausted_times_the_run_out_with_that_reason(
    environment: FakeEnvironment,
) -> None:
    environment.cluster.create_errors[PODS] = ForbiddenError(QUOTA)
    environment.apply(timeoutSeconds=60)
    environment.settle()
    run = only_run(environment)
    assert run.status is Status.TIMED_OUT
    assert run.failure is not None
    assert run.failure.reason == "FailedCreate"


def test_a_terminating_namespace_fails_the_run_without_a_retry(
    environment: FakeEnvironment,
) -> None:
    environment.cluster.create_errors[JOBS] = ForbiddenError(TERMINATING)
    environment.apply()
    environment.settle()
    run = only_run(environment)
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("infra", "NamespaceTerminating")
    assert (environment.testrun() or {})["metadata"]["finalizers"] == []
    assert (
        sum(verb == "create" and kind == JOBS for verb, kind, _ in environment.cluster.writes) == 1
    )


# --- the API is away -----------------------------------------------------------------------------


def test_while_the_api_is_down_a_testrun_waits_with_that_reason(
    environment: FakeEnvironment,
) -> None:
    environment.api.down = True
    environment.apply()
    environment.settle()
    assert status(environment)["phase"] == "Pending"
    assert status(environment)["reason"] == "BackendUnavailable"
    assert conditions(environment) == {
        "Registered": ("False", "BackendUnavailable"),
        "Finished": ("False", "BackendUnavailable"),
    }
    assert warnings(environment) == ["BackendUnavailable"]
    assert environment.cluster.all(JOBS) == []
    environment.api.down = False
    started(environment)
    assert end(environment).status is Status.SUCCEEDED
    assert conditions(environment)["Registered"] == ("True", "Registered")
    assert "reason" not in status(environment)


def test_a_short_outage_of_the_api_is_not_written(environment: FakeEnvironment) -> None:
    environment.api.down = True
    environment.apply()
    environment.controller.deliver()
    environment.controller.poll()
    environment.controller.work()
    environment.controller.work()
    assert status(environment) == {}
    assert warnings(environment) == []


@pytest.mark.parametrize("log_waits", [False, True], ids=["log is stored", "log waits for the API"])
def test_a_test_that_ends_while_the_api_is_down_is_reported_after_the_outage(
    environment: FakeEnvironment, log_waits: bool
) -> None:
    begin(environment, ttlSecondsAfterFinished=0)
    environment.api.down = True
    environment.controller.log_collector.hold = log_waits
    assert end(environment, 3).status is Status.RUNNING
    (job,) = environment.cluster.all(JOBS)
    assert "ttlSecondsAfterFinished" not in job["spec"]
    assert status(environment)["phase"] == "Running"
    assert status(environment)["reason"] == "BackendUnavailable"
    assert warnings(environment) == ["BackendUnavailable"]
    environment.controller.log_collector.hold = False
    environment.api.down = False
    environment.settle()
    assert only_run(environment).status is Status.FAILED
    assert status(environment)["phase"] == "Failed"


def test_a_run_whose_log_is_not_stored_when_the_api_goes_down_waits_with_that_reason(
    environment: FakeEnvironment,
) -> None:
    begin(environment)
    environment.controller.log_collector.hold = True
    end(environment)
    assert "reason" not in status(environment)
    environment.api.down = True
    environment.settle()
    assert status(environment)["reason"] == "BackendUnavailable"
    assert warnings(environment) == ["BackendUnavailable"]


def test_a_cancel_works_while_the_api_is_down(environment: FakeEnvironment) -> None:
    begin(environment)
    environment.api.down = True
    environment.edit(cancelled=True)
    stopped(environment)
    (pod,) = environment.pods()
    assert pod["status"]["phase"] == "Failed"
    environment.api.down = False
    environment.settle()
    assert only_run(environment).status is Status.CANCELLED


@pytest.mark.parametrize("log_waits", [False, True], ids=["log is stored", "log waits for the API"])
def test_a_deleted_testrun_waits_for_the_api_and_can_be_abandoned(
    environment: FakeEnvironment, log_waits: bool
) -> None:
    begin(environment)
    environment.api.down = True
    environment.controller.log_collector.hold = log_waits
    environment.delete_testrun()
    stopped(environment)
    assert status(environment)["reason"] == "BackendUnavailable"
    assert f"annotate it with {ABANDON}=true" in status(environment)["message"]
    found = environment.cluster.get(TESTRUNS, NAMESPACE, "smoke")
    found["metadata"]["annotations"] = {ABANDON: "true"}
    environment.cluster.put(TESTRUNS, found)
    environment.settle()
    assert environment.testrun() is None
    environment.controller.log_collector.hold = False
    environment.api.down = False
    environment.settle()
    assert only_run(environment).status.final
