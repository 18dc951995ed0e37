"""Runs whose volumes cannot be mounted, of which the kubelet notices no deadline."""

from typing import Any

import pytest

from sparktest.domain import LogState, Status
from sparktest.kube.resources import EVENTS, JOBS, PODS, Resource
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import end, only_job, only_run, started, status, stopped

MISSING = 'MountVolume.SetUp failed for volume "a" : configmap "settings" not found'
TEXT = "%Y-%m-%dT%H:%M:%SZ"


@pytest.fixture
def environment() -> FakeEnvironment:
    """Return the environment with a TestRun whose pod got its node and no container."""
    environment = FakeEnvironment()
    environment.apply(ttlSecondsAfterFinished=60)
    environment.settle()
    bind(environment)
    return environment


def bind(environment: FakeEnvironment) -> None:
    (pod,) = environment.pods()
    now = environment.now.strftime(TEXT)
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    environment.container(pod, waiting, "Pending", conditions=[scheduled])


def record(environment: FakeEnvironment, reason: str, message: str = "") -> None:
    """Record an Event on the pod, as the kubelet does."""
    (pod,) = environment.pods()
    event: dict[str, Any] = {
        "metadata": {"name": reason.lower(), "namespace": NAMESPACE},
        "involvedObject": {"kind": "Pod", "uid": pod["metadata"]["uid"]},
        "reason": reason,
        "message": message,
        "lastTimestamp": environment.now.strftime(TEXT),
    }
    environment.cluster.put(EVENTS, event)


def work(environment: FakeEnvironment, seconds: int = 0) -> None:
    """Let the controller and the Job's controller work, for so many seconds."""
    for _ in range(seconds or 3):
        environment.controller.deliver()
        environment.controller.poll()
        environment.controller.time_passed()
        environment.controller.work()
        environment.job_controller()
        if seconds:
            environment.pass_time(1)


def test_a_missing_config_map_fails_the_run_without_the_kubelet(
    environment: FakeEnvironment,
) -> None:
    for _ in range(4):
        record(environment, "FailedMount", MISSING)
        work(environment, 5)
    work(environment, 5)
    run = only_run(environment)
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("config", "FailedMount")
    assert run.failure.message == MISSING
    assert (run.log.state, run.log.reason) == (LogState.NONE, "NotStarted")
    assert status(environment)["phase"] == "Failed"
    assert environment.pods() == environment.cluster.all(JOBS) == []


def test_a_cancel_while_a_volume_is_missing_needs_no_kubelet(environment: FakeEnvironment) -> None:
    record(environment, "FailedMount", MISSING)
    environment.edit(cancelled=True)
    work(environment)
    assert only_run(environment).status is Status.CANCELLED
    assert environment.pods() == []


def test_a_cancel_before_the_first_failed_mount_takes_effect_when_it_is_known(
    environment: FakeEnvironment,
) -> None:
    environment.edit(cancelled=True)
    work(environment)
    assert environment.pods()[0]["spec"]["activeDeadlineSeconds"] == 1
    record(environment, "FailedMount", MISSING)
    work(environment, 25)
    assert only_run(environment).status is Status.CANCELLED
    assert environment.pods() == []


def test_a_pod_whose_image_is_pulled_is_left_to_its_deadline(environment: FakeEnvironment) -> None:
    record(environment, "FailedMount", MISSING)
    record(environment, "Pulling")
    environment.edit(cancelled=True)
    work(environment, 25)
    assert "suspend" not in only_job(environment)["spec"]
    environment.enforce_deadlines()
    assert stopped(environment).status is Status.CANCELLED
    assert len(environment.pods()) == 1


def test_a_container_that_started_unseen_keeps_its_pod_and_log(
    environment: FakeEnvironment,
) -> None:
    record(environment, "FailedMount", MISSING)
    environment.edit(cancelled=True)
    environment.controller.deliver()
    # The cache still has the pod without a container.
    environment.start_container(environment.pods()[0])
    environment.controller.work()
    assert "suspend" not in only_job(environment)["spec"]
    run = stopped(environment)
    assert (run.status, run.log.state) == (Status.CANCELLED, LogState.COMPLETE)


def test_a_config_map_that_is_created_late_is_no_failure(environment: FakeEnvironment) -> None:
    for _ in range(2):
        record(environment, "FailedMount", MISSING)
        work(environment, 5)
    work(environment, 15)
    assert only_run(environment).status_reason == "FailedMount"
    record(environment, "Pulling")
    work(environment, 12)
    assert only_run(environment).status is Status.PENDING
    environment.start_container(environment.pods()[0])
    assert started(environment).status is Status.RUNNING
    assert end(environment).status is Status.SUCCEEDED


def test_a_container_that_starts_during_the_stop_keeps_its_pod_and_log(
    environment: FakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = environment.cluster.patch

    def start_before_patch(resource: Resource, *args: Any, **options: Any) -> Any:
        if resource == PODS:
            environment.start_container(environment.pods()[0])
        return patch(resource, *args, **options)

    record(environment, "FailedMount", MISSING)
    environment.edit(cancelled=True)
    with monkeypatch.context() as patched:
        patched.setattr(environment.cluster, "patch", start_before_patch)
        environment.controller.deliver()
        environment.controller.work()
    assert "suspend" not in only_job(environment)["spec"]
    run = stopped(environment)
    assert (run.status, run.log.state) == (Status.CANCELLED, LogState.COMPLETE)
