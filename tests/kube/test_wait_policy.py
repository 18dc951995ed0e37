"""What a run waits for before it starts, and for how long."""

from typing import Any

import pytest

from sparktest.domain import FailureClass
from sparktest.kube import wait_policy
from sparktest.kube.wait_policy import Wait
from tests.kube.objects import a_condition, a_job, a_pod, a_run, at, exited, running, text, waiting

NOW = at(5)


def pod_wait(*pods: dict[str, Any]) -> Wait | None:
    return wait_policy.pod_wait(a_run(), a_job(), list(pods), since=NOW, pull_seconds=90)


def without_pod(*messages: str, **spec: Any) -> Wait | None:
    events = [
        {"reason": "FailedCreate", "message": message, "lastTimestamp": text(number)}
        for number, message in enumerate(messages)
    ]
    return wait_policy.missing_pod_wait(a_run(), a_job(**spec), events, NOW)


def end_of(wait: Wait | None) -> tuple[str, Any, FailureClass | None]:
    assert wait is not None
    return wait.reason, wait.until, wait.failure.class_ if wait.failure else None


@pytest.mark.parametrize(
    "reason",
    ["InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError"],
)
def test_what_no_waiting_heals_is_given_15_seconds(reason):
    wait = pod_wait(a_pod(waiting(reason, "why")))
    assert end_of(wait) == (reason, at(20), FailureClass.CONFIG)
    assert wait is not None
    assert wait.failure is not None
    assert (wait.failure.reason, wait.failure.message) == (reason, "why")


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_cannot_be_pulled_is_one_wait_with_one_word(reason):
    pod = a_pod(waiting(reason, "no such host"))
    assert end_of(pod_wait(pod)) == ("ImagePullBackOff", at(95), FailureClass.CONFIG)
    assert wait_policy.waiting_reason([pod]) == "pull"


def test_the_trouble_of_an_init_container_is_the_pods():
    pod = a_pod(waiting("PodInitializing"))
    pod["status"]["initContainerStatuses"] = [{"name": "mesh", "state": waiting("ErrImagePull")}]
    assert wait_policy.waiting_reason([pod]) == "pull"


@pytest.mark.parametrize("state", [waiting("ContainerCreating"), running(), exited(0), None])
def test_a_pod_without_trouble_waits_for_nothing(state):
    assert pod_wait(a_pod(state)) is None
    assert wait_policy.waiting_reason([a_pod(state)]) is None


def test_no_pod_has_no_trouble():
    assert wait_policy.waiting_reason([]) is None
    assert pod_wait() is None


def test_a_pod_without_a_node_waits_until_the_time_of_the_run_is_up():
    conditions = [a_condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")]
    wait = pod_wait(a_pod(conditions=conditions))
    assert end_of(wait) == ("Unschedulable", at(60), FailureClass.TIMEOUT)


@pytest.mark.parametrize(
    "message",
    [
        'pods "x-" is forbidden: error looking up service account a/b: not found',
        'pods "x-" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        'Pod "x-" is invalid: spec.containers[0].resources: Invalid value: "2": must be less',
        'admission webhook "policy.example" denied the request: no latest tags',
    ],
)
def test_a_pod_that_will_always_be_refused_is_a_mistake_of_configuration(message):
    assert end_of(without_pod(message)) == ("FailedCreate", NOW, FailureClass.CONFIG)


@pytest.mark.parametrize(
    "message",
    [
        'pods "x-" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1',
        'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot create resource "jobs"',
        'Internal error occurred: failed calling webhook "w": connection refused',
    ],
)
def test_a_pod_that_may_be_let_in_later_waits_until_the_time_of_the_run_is_up(message):
    wait = without_pod(message)
    assert end_of(wait) == ("FailedCreate", at(60), FailureClass.TIMEOUT)
    assert wait is not None
    assert wait.message == message


def test_a_namespace_that_is_going_away_is_an_end():
    wait = without_pod("pods is forbidden: namespace tests because it is being terminated")
    assert end_of(wait) == ("NamespaceTerminating", NOW, FailureClass.INFRA)


def test_the_latest_refusal_counts():
    wait = without_pod("error looking up service account a/b", "exceeded quota: q")
    assert end_of(wait) == ("FailedCreate", at(60), FailureClass.TIMEOUT)


def test_a_job_without_a_pod_and_without_a_refusal_waits_for_nothing_known():
    assert without_pod() is None


def test_a_suspended_job_waits_for_its_owner_as_long_as_it_takes():
    assert end_of(without_pod(suspend=True)) == ("Suspended", None, None)
    assert wait_policy.needs_events_at(a_job(suspend=True)) is None


def test_events_are_worth_reading_after_20_seconds():
    assert wait_policy.needs_events_at(a_job()) == at(20)


def test_without_a_job_the_time_of_a_run_counts_from_its_creation():
    assert wait_policy.start_deadline(a_run(created_at=at(-10)), None) == at(50)
