"""Outcomes of tests that could not start, as their configuration is wrong."""

import pytest

from sparktest.domain import Failure, FailureClass
from sparktest.kube.outcome import exit_message
from tests.kube.objects import a_job, a_pod, exited, waiting
from tests.kube.outcomes import NEVER_LOCATED, ended, seen


def test_a_command_missing_in_the_image_is_a_configuration_error():
    state = exited(128, reason="StartError", message='exec: "pytset": not found')
    state["terminated"]["startedAt"] = "1970-01-01T00:00:00Z"
    report = seen(a_job(), a_pod(state, phase="Failed"))
    assert ended(report) == ("failed", "config", "StartError")
    assert report.started_at is None
    assert report.failure is not None
    assert "pytset" in report.failure.message


@pytest.mark.parametrize("state", [waiting("PodInitializing"), NEVER_LOCATED, None])
def test_a_failed_init_container_is_a_configuration_error_that_names_it(state):
    init = {"name": "migrate", "state": exited(2, message="no such table\n")}
    report = seen(a_job(), a_pod(state, phase="Failed", initContainerStatuses=[init]))
    assert ended(report) == ("failed", "config", "Init:Error")
    assert report.started_at is None
    assert report.failure is not None
    assert (report.failure.exit_code, report.failure.container) == (2, "migrate")
    assert report.failure.message == "init container migrate: exit code 2: no such table"


def test_a_sidecar_that_is_killed_since_an_init_container_failed_is_not_blamed():
    statuses = [
        {"name": "proxy", "state": exited(137), "restartCount": 1},
        {"name": "migrate", "state": exited(2)},
    ]
    pod = a_pod(waiting("PodInitializing"), phase="Failed", initContainerStatuses=statuses)
    pod["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert (failure.container, failure.exit_code) == ("migrate", 2)


def test_a_sidecar_killed_after_the_test_does_not_change_the_result():
    sidecar = {"name": "proxy", "state": exited(143)}
    pod = a_pod(exited(0), phase="Succeeded", initContainerStatuses=[sidecar])
    assert ended(seen(a_job(), pod)) == ("succeeded", None, None)


def test_a_container_that_the_kubelet_lost_is_an_infrastructure_failure():
    message = "The container could not be located when the pod was terminated"
    report = seen(a_job(), a_pod(NEVER_LOCATED, phase="Failed"))
    assert report.failure == Failure(FailureClass.INFRA, "ContainerStatusUnknown", message)


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        (None, "", "no exit code"),
        (None, " killed\n", "no exit code: killed"),
        (0, "\n", "exit code 0"),
        (3, "why", "exit code 3: why"),
    ],
)
def test_the_message_of_an_end_names_the_exit_code_if_there_is_one(code, message, shown):
    assert exit_message(code, message) == shown


@pytest.mark.parametrize(("reason", "shown"), [("OOMKilled", "Init:OOMKilled"), ("", "Init:Error")])
def test_a_failed_init_container_keeps_its_reason(reason, shown):
    init = {"name": "prepare", "state": exited(137, reason=reason)}
    pod = a_pod(waiting("PodInitializing"), phase="Failed", initContainerStatuses=[init])
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.CONFIG, shown)


def test_a_pod_that_the_dev_cluster_cannot_run_is_a_config_failure():
    pod = a_pod(waiting("ContainerCreating"))
    message = "the dev cluster cannot mount volume data (csi)"
    pod["status"] |= {"phase": "Failed", "reason": "Unsupported", "message": message}
    report = seen(a_job(), pod)
    assert report.failure == Failure(FailureClass.CONFIG, "Unsupported", message)
