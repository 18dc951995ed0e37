"""Runs whose test is ended by the kubelet, because its own probe or hook failed."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.domain import FailureClass, LogState, Status
from sparktest.kube.probe_failures import EVENTS_SECONDS
from sparktest.kube.resources import EVENTS, JOBS, PODS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import begin, end, only_run, status

PROBE = {"exec": {"command": ["false"]}}
TEMPLATE = {"spec": {"containers": [{"name": "test", "livenessProbe": PROBE}]}}
REFUSED = "Liveness probe failed: connection refused"


@pytest.fixture
def environment() -> FakeEnvironment:
    """Return the environment with a test that runs, and has a probe."""
    environment = FakeEnvironment()
    begin(environment, template=TEMPLATE)
    return environment


def record(environment: FakeEnvironment) -> None:
    """Record the Events of a failed probe on the pod, as the kubelet does."""
    (pod,) = environment.pods()
    about = {"kind": "Pod", "uid": pod["metadata"]["uid"], "fieldPath": "spec.containers{test}"}
    words = {"Unhealthy": REFUSED, "Killing": "Stopping container test"}
    for reason, message in words.items():
        event: dict[str, Any] = {
            "metadata": {"name": reason.lower(), "namespace": NAMESPACE},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "lastTimestamp": environment.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        environment.cluster.put(EVENTS, event)


def end_unreported(environment: FakeEnvironment, code: int = 0) -> None:
    """End the container, and let the controller work at that moment only."""
    environment.end_container(environment.pods()[0], code)
    environment.controller.deliver()
    environment.controller.work()


@pytest.mark.parametrize("code", [0, 143])
def test_a_test_whose_probe_failed_has_failed_with_any_exit_code(
    environment: FakeEnvironment, code: int
) -> None:
    record(environment)
    run = end(environment, code)
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.TEST, "Unhealthy")
    assert (run.failure.message, run.failure.exit_code) == (REFUSED, code)
    assert (run.status, run.log.state) == (Status.FAILED, LogState.COMPLETE)
    found = status(environment)
    assert (found["phase"], found["failure"]["exitCode"]) == ("Failed", code)


def test_events_that_come_after_the_end_count(environment: FakeEnvironment) -> None:
    ended_at = environment.now
    end_unreported(environment)
    assert only_run(environment).status is Status.RUNNING
    record(environment)
    environment.settle()
    assert only_run(environment).status is Status.FAILED
    assert only_run(environment).finished_at == ended_at


def test_a_test_whose_probes_did_not_fail_passes_some_seconds_later(
    environment: FakeEnvironment,
) -> None:
    ended_at = environment.now
    end_unreported(environment)
    environment.pass_time(EVENTS_SECONDS - 1)
    environment.controller.work()
    assert only_run(environment).status is Status.RUNNING
    run = end(environment)
    assert (run.status, run.finished_at) == (Status.SUCCEEDED, ended_at)


def test_a_test_without_a_probe_ends_at_once() -> None:
    environment = FakeEnvironment()
    begin(environment)
    record(environment)
    before = environment.now
    assert end(environment).status is Status.SUCCEEDED
    assert environment.now - before < timedelta(seconds=EVENTS_SECONDS)


def test_events_that_expire_while_the_api_is_down_still_count(environment: FakeEnvironment) -> None:
    record(environment)
    environment.api.down = True
    end_unreported(environment)
    environment.pass_time(EVENTS_SECONDS)
    environment.controller.work()
    for name in ("unhealthy", "killing"):
        environment.cluster.remove(EVENTS, NAMESPACE, name)
    environment.pass_time(3600)
    environment.controller.work()
    environment.api.down = False
    environment.settle()
    assert only_run(environment).status is Status.FAILED


def test_the_probe_of_a_test_whose_job_was_deleted_counts(environment: FakeEnvironment) -> None:
    record(environment)
    environment.end_container(environment.pods()[0])
    job = environment.cluster.all(JOBS)[0]["metadata"]["name"]
    environment.cluster.remove(JOBS, NAMESPACE, job)
    # The garbage collector has not deleted the pod yet.
    for _ in range(3):
        environment.controller.deliver()
        environment.controller.work()
        environment.controller.log_collector.read()
        environment.pass_time(EVENTS_SECONDS)
    assert environment.cluster.all(PODS)
    assert only_run(environment).failure is not None
    assert only_run(environment).failure.reason == "Unhealthy"  # type: ignore[union-attr]
