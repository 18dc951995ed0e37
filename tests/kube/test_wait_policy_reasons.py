"""Which reasons block a container, and the words of the wait."""

from typing import Any

import pytest

from sparktest.domain import FailureClass
from sparktest.kube import wait_policy
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import EventView, parse_job
from sparktest.kube.wait_policy import Wait
from tests.kube.objects import a_condition, a_job, a_pod, a_run, at, exited, waiting


def pod_wait(pod: dict[str, Any], *events: EventView) -> Wait | None:
    limits: dict[str, Any] = {"since": at(5), "image_pull_timeout_seconds": 90}
    job = parse_job(a_job())
    return wait_policy.pod_wait(a_run(), job, parse_pod(pod), at(5), events=events, **limits)


def with_init(name: str, state: dict[str, Any]) -> dict[str, Any]:
    status = {"name": name, "state": state}
    return a_pod(waiting("PodInitializing"), initContainerStatuses=[status])


@pytest.mark.parametrize("reason", wait_policy.PULL)
def test_every_reason_of_an_image_that_cannot_be_pulled_waits_for_the_pull(reason):
    wait = pod_wait(a_pod(waiting(reason, "why")))
    assert wait is not None
    assert wait.until == at(95)


def test_the_reasons_of_an_image_that_cannot_be_pulled():
    assert wait_policy.PULL == (
        "ImagePullBackOff",
        "ErrImagePull",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fixtures", ""),
        ("sparktest-git", "; the setting SPARKTEST_GIT_IMAGE of the controller names this image"),
    ],
)
def test_an_init_container_whose_image_cannot_be_pulled_is_named_with_the_message(name, hint):
    wait = pod_wait(with_init(name, waiting("ImagePullBackOff", "no such host")))
    assert wait is not None
    assert wait.message == f"init container {name}: no such host{hint}"


def test_a_container_that_is_named_like_that_of_git_has_no_hint_for_another_error():
    wait = pod_wait(with_init("sparktest-git", waiting("CreateContainerError", "why")))
    assert wait is not None
    assert wait.message == "init container sparktest-git: why"


@pytest.mark.parametrize("reason", ["CreateContainerError", "ImagePullBackOff"])
def test_an_init_container_that_has_ended_blocks_nothing_whatever_its_reason(reason):
    pod = with_init("fixtures", exited(1, reason=reason))
    assert wait_policy.waiting_reason(parse_pod(pod)) is None
    assert pod_wait(pod) is None


def test_a_failed_pod_waits_for_nothing():
    assert pod_wait(a_pod(waiting("ImagePullBackOff"), phase="Failed")) is None


def test_an_unscheduled_pod_waits_with_the_message_of_the_scheduler():
    unscheduled = a_condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes")
    wait = pod_wait(a_pod(conditions=[unscheduled]))
    assert wait is not None
    assert wait.failure is not None
    failure = wait.failure
    assert (wait.message, failure.message) == ("0/3 nodes", "0/3 nodes")
    assert (failure.class_, failure.reason) == (FailureClass.TIMEOUT, "Unschedulable")


@pytest.mark.parametrize("words", ["cpu-usage per node is high", "hit-ratio per node is low"])
def test_only_the_words_of_a_limit_range_are_permanent(words):
    message = f'Internal error occurred: failed calling webhook "w": {words}'
    assert wait_policy.classify_rejection(message, at(60), at(5)).until == at(60)


def test_other_events_of_a_job_are_no_rejections():
    events = [EventView("FailedCreate", "exceeded quota: q", at(1)), EventView("Other", "", at(2))]
    wait = wait_policy.missing_pod_wait(a_run(), parse_job(a_job()), events, at(5))
    assert wait is not None
    assert wait.message == "exceeded quota: q"
    assert wait_policy.missing_pod_wait(a_run(), parse_job(a_job()), events[1:], at(5)) is None


def test_a_pod_that_got_its_node_at_an_unknown_time_waits_for_no_volume():
    pod = a_pod(waiting("ContainerCreating"), conditions=[])
    assert pod_wait(pod, EventView("FailedMount", "why", at(1))) is None


def test_a_missing_object_in_an_event_without_a_time_does_not_end_the_run():
    event = EventView("FailedMount", 'configmap "settings" not found', None)
    wait = pod_wait(a_pod(waiting("ContainerCreating")), event)
    assert wait is not None
    assert wait.failure is not None
    assert (wait.until, wait.failure.class_) == (at(60), FailureClass.TIMEOUT)
