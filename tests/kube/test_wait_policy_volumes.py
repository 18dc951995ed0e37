"""How long a run waits for its volumes, and how it fails then."""

from typing import Any

import pytest

from sparktest.domain import FailureClass
from sparktest.kube import wait_policy
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import EventView, parse_job
from sparktest.kube.wait_policy import Wait
from tests.kube.objects import a_condition, a_job, a_pod, a_run, at, exited, running, waiting

SETUP = 'MountVolume.SetUp failed for volume "a" : '
MISSING = f'{SETUP}configmap "settings" not found'
NO_FOLDER = f"{SETUP}hostPath type check failed: /x is not a directory"
NOW = at(25)
# The pod gets its node 2 s after the start of its Job.
SCHEDULED = [a_condition("PodScheduled", seconds=2)]


def a_creating_pod(state: Any = None, **status: Any) -> dict[str, Any]:
    return a_pod(state or waiting("ContainerCreating"), conditions=SCHEDULED, **status)


def failed_mount(message: str, seconds: float, reason: str = "FailedMount") -> EventView:
    return EventView(reason, message, at(seconds))


def event(reason: str, seconds: float) -> EventView:
    return EventView(reason, "", at(seconds))


def pod_wait(*events: EventView, pod: dict[str, Any] | None = None) -> Wait | None:
    return wait_policy.pod_wait(
        a_run(),
        parse_job(a_job()),
        parse_pod(pod or a_creating_pod()),
        NOW,
        events=iter(events),
        since=NOW,
        image_pull_timeout_seconds=90,
    )


def end_of(wait: Wait | None) -> tuple[str, Any, FailureClass | None]:
    assert wait is not None
    return wait.reason, wait.until, wait.failure.class_ if wait.failure else None


@pytest.mark.parametrize(
    "words",
    [
        'configmap "settings" not found',
        'secret "password" not found',
        '[configmap "a" not found, secret "b" not found]',
        "configmap references non-existent config key: shop.properties",
        "references non-existent secret key: password",
    ],
)
def test_a_missing_object_of_a_volume_is_a_configuration_error_after_15_seconds(words):
    wait = pod_wait(failed_mount(SETUP + words, 17))
    assert end_of(wait) == ("FailedMount", at(17), FailureClass.CONFIG)
    assert wait is not None
    assert wait.failure is not None
    assert wait.message == wait.failure.message == SETUP + words


def test_a_missing_object_may_be_created_after_the_kubelet_said_so():
    wait = pod_wait(failed_mount(MISSING, 16))
    assert end_of(wait) == ("FailedMount", at(62), FailureClass.TIMEOUT)


def test_a_missing_object_decides_over_later_words_of_the_kubelet():
    summary = "Unable to attach or mount volumes: unmounted volumes=[a]"
    wait = pod_wait(failed_mount(MISSING, 20), failed_mount(summary, 23))
    assert end_of(wait) == ("FailedMount", at(17), FailureClass.CONFIG)
    assert wait is not None
    assert wait.message == MISSING


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FailedMount", NO_FOLDER),
        ("FailedMount", f'{SETUP}rpc error: deadline exceeded: secret "x" is locked'),
        ("FailedAttachVolume", "Multi-Attach error"),
        ("FailedMapVolume", "no such device"),
    ],
)
def test_another_failed_mount_waits_until_the_timeout_of_the_pod(reason, message):
    wait = pod_wait(failed_mount(message, 20, reason))
    assert end_of(wait) == (reason, at(62), FailureClass.TIMEOUT)


def test_a_sandbox_that_cannot_be_created_is_ended_by_the_deadline_of_the_pod():
    events = [failed_mount(MISSING, 3), failed_mount("no network", 5, "FailedCreatePodSandBox")]
    assert end_of(pod_wait(*events)) == ("FailedCreatePodSandBox", None, None)
    assert not wait_policy.waits_for_volume(parse_pod(a_creating_pod()), events)


@pytest.mark.parametrize("reason", ["Pulling", "Pulled", "Created", "Started"])
def test_a_pod_whose_container_is_being_created_waits_for_no_volume(reason):
    events = [failed_mount(MISSING, 18), event(reason, 18)]
    assert pod_wait(*events) is None
    assert not wait_policy.waits_for_volume(parse_pod(a_creating_pod()), events)


def test_a_pod_whose_volume_cannot_be_mounted_waits_for_it():
    pod = parse_pod(a_creating_pod())
    assert wait_policy.waits_for_volume(pod, [failed_mount(MISSING, 3), event("Scheduled", 2)])
    assert not wait_policy.waits_for_volume(pod, [])


@pytest.mark.parametrize(
    "pod",
    [
        a_creating_pod(running()),
        a_creating_pod(exited(0)),
        a_creating_pod(initContainerStatuses=[{"name": "a", "state": running()}]),
        a_creating_pod(initContainerStatuses=[{"name": "a", "state": exited(0)}]),
        a_creating_pod(phase="Failed"),
    ],
)
def test_a_pod_in_which_something_has_started_waits_for_no_volume(pod):
    events = [failed_mount(MISSING, 20)]
    wait = pod_wait(*events, pod=pod)
    assert wait is None or wait.reason == "Init:0/1"
    assert not wait_policy.waits_for_volume(parse_pod(pod), events)
    assert wait_policy.needs_events_at(parse_job(a_job()), parse_pod(pod)) is None


def test_the_events_of_a_pod_are_read_20_seconds_after_it_got_its_node():
    job = parse_job(a_job())
    assert wait_policy.needs_events_at(job, parse_pod(a_creating_pod())) == at(22)
    without_time = a_pod(waiting("ContainerCreating"), conditions=[])
    assert wait_policy.needs_events_at(job, parse_pod(without_time)) is None
