"""Parsing of pods, even if fields are missing or have the wrong type."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.kube.jobs import build_job
from sparktest.kube.pod_view import ContainerState, main_pod, parse_pod
from sparktest.kube.views import Condition
from tests.kube.objects import (
    a_condition,
    a_pod,
    a_run,
    at,
    being_deleted,
    exited,
    running,
    text,
    waiting,
)


def test_a_running_container_has_a_log_and_a_start() -> None:
    pod = parse_pod(a_pod(running(2), phase="Running"))
    assert (pod.has_log, pod.started_at, pod.is_terminal) == (True, at(2), False)
    assert pod.is_active


def test_a_waiting_container_has_no_log_and_no_start() -> None:
    pod = parse_pod(a_pod(waiting("ErrImagePull", "no such host")))
    assert (pod.has_log, pod.started_at, pod.is_terminal) == (False, None, False)
    assert pod.container == ContainerState("waiting", "ErrImagePull", "no such host")


def test_a_container_that_never_ran_has_no_log() -> None:
    pod = parse_pod(a_pod(exited(128, reason="StartError"), phase="Failed"))
    assert (pod.has_log, pod.started_at, pod.is_terminal) == (False, None, True)


@pytest.mark.parametrize("names", [["main", "istio-proxy"], ["istio-proxy", "main"]])
def test_a_container_that_a_webhook_adds_does_not_hide_the_test(names: list[str]) -> None:
    job = build_job(a_run(template={"spec": {"containers": [{"name": "main"}]}}))
    created = job["spec"]["template"]
    created["spec"]["containers"] = [{"name": name} for name in names]
    states = [{"name": name, "state": exited(3) if name == "main" else running()} for name in names]
    pod = parse_pod({**created, "status": {"phase": "Running", "containerStatuses": states}})
    assert (pod.container.exit_code, pod.is_terminal, pod.is_active) == (3, True, True)


def test_times_keep_their_fractions_of_a_second() -> None:
    state = {"running": {"startedAt": "2026-11-24T12:00:02.25Z"}}
    assert parse_pod(a_pod(state)).started_at == at(2.25)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"state": waiting("ErrImagePull")}, "ErrImagePull"),
        ({"state": exited(2)}, "Error"),
        ({"state": running(), "restartCount": 2, "started": False}, "CrashLoopBackOff"),
        ({"state": running(), "restartCount": 2, "started": True}, None),
        ({"state": running(), "restartCount": 0, "started": False}, None),
        ({"state": waiting("PodInitializing")}, None),
        ({"state": exited(0)}, None),
    ],
)
def test_an_init_container_is_failing_if_it_cannot_start_or_crashes_or_failed(
    status: dict[str, Any], reason: str | None
) -> None:
    pod = a_pod(
        waiting("PodInitializing"),
        initContainerStatuses=[{"name": "first", "state": exited(0)}, {"name": "mesh", **status}],
    )
    init = parse_pod(pod).failing_init
    assert (init.state.reason if init else None) == reason
    assert init is None or init.name == "mesh"


def test_a_pod_has_the_state_of_each_of_its_containers() -> None:
    pod = a_pod(
        running(4),
        phase="Running",
        initContainerStatuses=[
            {"name": "proxy", "state": running(1), "started": True, "restartCount": 2}
            | {"lastState": exited(1)},
            {"name": "fixtures", "state": exited(0)},
        ],
    )
    pod["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    containers = parse_pod(pod).containers
    assert [(each.name, each.kind.value, each.restarts) for each in containers.values()] == [
        ("proxy", "sidecar", 2),
        ("fixtures", "init", 0),
        ("test", "plain", 0),
    ]
    assert containers["proxy"].state.started_at == at(1)
    assert containers["proxy"].last_state.exit_code == 1
    assert parse_pod(pod).init_progress == "2/2"
    assert parse_pod(pod).running_init is None


@pytest.mark.parametrize(
    ("status", "has_log"),
    [
        ({"state": running()}, True),
        ({"state": exited(0)}, True),
        ({"state": exited(128, reason="StartError")}, False),
        ({"state": waiting("PodInitializing")}, False),
        ({"state": waiting("CrashLoopBackOff"), "lastState": exited(1)}, True),
        ({}, False),
    ],
)
def test_a_container_has_a_log_if_one_of_its_attempts_ran(
    status: dict[str, Any], has_log: bool
) -> None:
    pod = parse_pod(a_pod(running(), initContainerStatuses=[{"name": "proxy", **status}]))
    assert pod.containers["proxy"].has_log is has_log


@pytest.mark.parametrize(
    ("init", "sidecar", "test", "phase", "ended"),
    [
        (exited(0), running(), waiting("PodInitializing"), "Pending", ["init"]),
        (running(), exited(1), waiting("PodInitializing"), "Pending", []),
        (exited(0), exited(1), running(), "Running", ["init"]),
        (exited(0), exited(1), exited(0), "Running", ["init", "sidecar", "test"]),
        (exited(0), running(), exited(0), "Running", ["init", "test"]),
        (exited(1), running(), waiting("x"), "Failed", ["init", "sidecar", "test", "other"]),
    ],
)
def test_a_sidecar_ends_only_with_the_test_or_its_pod(
    init: Any, sidecar: Any, test: Any, phase: str, ended: list[str]
) -> None:
    statuses = [{"name": "init", "state": init}, {"name": "sidecar", "state": sidecar}]
    pod = a_pod(test, phase=phase, initContainerStatuses=statuses)
    pod["spec"]["initContainers"] = [{"name": "sidecar", "restartPolicy": "Always"}]
    view = parse_pod(pod)
    assert [name for name in ("init", "sidecar", "test", "other") if view.has_ended(name)] == ended


def test_a_sidecar_keeps_a_pod_active_after_its_test() -> None:
    pod = a_pod(exited(0), phase="Running")
    assert not parse_pod(pod).is_active
    pod["status"]["containerStatuses"].append({"name": "mesh", "state": running()})
    assert parse_pod(pod).is_active
    assert parse_pod(pod).is_terminal


def test_a_deletion_was_requested_one_grace_period_before_it_is_due() -> None:
    pod = parse_pod(being_deleted(a_pod(), 5, grace=10))
    assert pod.is_deleting
    assert pod.deletes_at == at(15)
    assert pod.deletion_requested_at == at(5)


def test_the_last_change_of_a_condition_is_that_of_the_pod() -> None:
    conditions = [a_condition("PodScheduled", seconds=1), a_condition("Ready", "False", seconds=4)]
    pod = parse_pod(a_pod(conditions=conditions))
    assert pod.changed_at == at(4)
    assert pod.scheduled == Condition("True", "", "", at(1))


def test_a_disruption_counts_only_if_the_condition_is_true() -> None:
    true = a_pod(conditions=[a_condition("DisruptionTarget", reason="EvictionByEvictionAPI")])
    false = a_pod(conditions=[a_condition("DisruptionTarget", "False")])
    assert parse_pod(true).disruption is not None
    assert parse_pod(false).disruption is None


def test_the_main_pod_is_one_not_being_deleted_then_the_newest() -> None:
    old, new = a_pod(), a_pod()
    old["metadata"]["name"] = "z"
    new["metadata"]["creationTimestamp"] = text(1)
    pods = [parse_pod(old), parse_pod(new)]
    assert main_pod(pods) == pods[1]
    assert main_pod([pods[0], parse_pod(being_deleted(new, 2))]) == pods[0]
    assert main_pod([]) is None


def test_a_grace_period_of_any_length_can_be_parsed() -> None:
    pod = being_deleted(a_pod(), 5)
    pod["metadata"]["deletionGracePeriodSeconds"] = 10**18
    assert parse_pod(pod).deletion_requested_at is None
    assert parse_pod(pod).deletes_at == at(5) + timedelta(seconds=10)
