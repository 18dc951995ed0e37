"""What a run waits for before it starts, how long, and how it fails after that."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from sparktest.domain import Failure, FailureClass
from sparktest.errors import UnavailableError
from sparktest.kube import wait_policy
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import EventView, parse_job
from sparktest.kube.wait_policy import Wait
from tests.kube.objects import a_condition, a_job, a_pod, a_run, at, exited, running, waiting

NOW = at(5)


def pod_wait(pod: dict[str, Any], now: datetime = NOW, *events: EventView) -> Wait | None:
    limits: dict[str, Any] = {"since": NOW, "image_pull_timeout_seconds": 90}
    job = parse_job(a_job())
    return wait_policy.pod_wait(a_run(), job, parse_pod(pod), now, events=events, **limits)


def waiting_reason(pod: dict[str, Any]) -> str | None:
    return wait_policy.waiting_reason(parse_pod(pod))


def without_pod(*messages: str, **spec: Any) -> Wait | None:
    events = [EventView("FailedCreate", text, at(number)) for number, text in enumerate(messages)]
    return wait_policy.missing_pod_wait(a_run(), parse_job(a_job(**spec)), events, NOW)


def end_of(wait: Wait | None) -> tuple[str, Any, FailureClass | None]:
    assert wait is not None
    return wait.reason, wait.until, wait.failure.class_ if wait.failure else None


@pytest.mark.parametrize(
    "reason",
    ["InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError"],
)
def test_a_container_configuration_error_expires_after_15_seconds(reason):
    wait = pod_wait(a_pod(waiting(reason, "why")))
    assert end_of(wait) == (reason, at(20), FailureClass.CONFIG)
    assert wait is not None
    assert wait.failure is not None
    assert (wait.failure.reason, wait.failure.message) == (reason, "why")


@pytest.mark.parametrize(
    "message",
    [
        "container has runAsNonRoot and image will run as root",
        "container has runAsNonRoot and image has non-numeric user (node), cannot verify user",
        "container's runAsUser breaks non-root policy",
    ],
)
def test_a_container_that_would_run_as_root_names_the_field_to_set(message):
    wait = pod_wait(a_pod(waiting("CreateContainerConfigError", message)))
    assert wait is not None
    assert wait.failure is not None
    assert wait.failure.message == (
        f"{message}; set template.spec.securityContext.runAsUser to a user other than 0"
    )


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_both_pull_errors_are_one_wait_with_one_reason(reason):
    pod = a_pod(waiting(reason, "no such host"))
    assert end_of(pod_wait(pod)) == ("ImagePullBackOff", at(95), FailureClass.CONFIG)
    assert waiting_reason(pod) == "pull"


@pytest.mark.parametrize(
    ("status", "kind", "reason", "seconds"),
    [
        ({"state": waiting("ErrImagePull")}, "pull", "Init:ImagePullBackOff", 90),
        ({"state": waiting("InvalidImageName")}, "config", "Init:InvalidImageName", 15),
        ({"state": running(), "restartCount": 1}, "crash", "Init:CrashLoopBackOff", 120),
    ],
)
def test_a_run_that_waits_for_an_init_container_names_it(status, kind, reason, seconds):
    status |= {"name": "mesh", "lastState": exited(7)}
    pod = a_pod(waiting("PodInitializing"), initContainerStatuses=[status])
    wait = pod_wait(pod)
    assert waiting_reason(pod) == kind
    assert end_of(wait) == (reason, at(5 + seconds), FailureClass.CONFIG)
    assert wait is not None
    assert wait.message.startswith("init container mesh: ")
    assert wait.failure is not None
    assert (wait.failure.message, wait.failure.container) == (wait.message, "mesh")
    assert kind != "crash" or wait.message.endswith(": exit code 7")


def test_a_sidecar_that_crashes_is_shown_with_the_message_of_its_last_end():
    ended = exited(3, message="no config\n")
    status = {"name": "proxy", "state": ended, "restartCount": 2}
    wait = pod_wait(a_pod(waiting("PodInitializing"), initContainerStatuses=[status]))
    assert wait is not None
    assert wait.message == "init container proxy: exit code 3: no config"
    assert wait.failure is not None
    assert wait.failure.exit_code == 3


def test_an_init_container_that_runs_for_long_is_what_the_run_waits_for():
    statuses = [
        {"name": "proxy", "state": running(1), "started": True},
        {"name": "first", "state": exited(0)},
        {"name": "fixtures", "state": running(2), "started": True},
        {"name": "last", "state": waiting("PodInitializing")},
    ]
    pod = a_pod(waiting("PodInitializing"), initContainerStatuses=statuses)
    pod["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    assert wait_policy.init_shown_at(parse_pod(pod)) == at(12)
    assert pod_wait(pod, at(11.9)) is None
    expected = Wait("Init:2/4", "init container fixtures is running", None, None)
    assert pod_wait(pod, at(12)) == expected


@pytest.mark.parametrize("state", [waiting("PodInitializing"), exited(0), {"running": {}}])
def test_only_an_init_container_whose_start_is_known_is_waited_for(state):
    status = {"name": "mesh", "state": state}
    pod = a_pod(waiting("PodInitializing"), initContainerStatuses=[status])
    assert pod_wait(pod, at(100)) is None
    assert wait_policy.init_shown_at(parse_pod(pod)) is None


def test_without_a_pod_no_init_container_runs():
    assert wait_policy.init_shown_at(None) is None


@pytest.mark.parametrize("state", [waiting("ContainerCreating"), running(), exited(0), None])
def test_a_pod_that_is_not_blocked_waits_for_nothing(state):
    assert pod_wait(a_pod(state)) is None
    assert waiting_reason(a_pod(state)) is None


def test_without_a_pod_nothing_is_blocked():
    assert wait_policy.waiting_reason(None) is None


def test_an_unschedulable_pod_waits_until_the_start_deadline():
    conditions = [a_condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")]
    wait = pod_wait(a_pod(conditions=conditions))
    assert end_of(wait) == ("Unschedulable", at(60), FailureClass.TIMEOUT)


@pytest.mark.parametrize(
    "message",
    [
        'pods "x-" is forbidden: error looking up service account a/b: not found',
        'pods "x-" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        'pods "x-" is forbidden: request violates a policy',
        'Pod "x-" is invalid: spec.containers[0].resources: Invalid value: "2": must be less',
        'admission webhook "policy.example" denied the request: no latest tags',
        "pods \"x-1\" is forbidden: ValidatingAdmissionPolicy 'a' denied request: no selectors",
        'pods "x-" is forbidden: no PriorityClass with name urgent was found',
        'pods "x-" is forbidden: pod rejected: RuntimeClass "kata" not found',
        "etcdserver: request is too large",
        'pods "x-" is forbidden: failed quota: q: must specify limits.memory for: test',
        'pods "x-" is forbidden: maximum memory usage per Container is 64Mi, but limit is 1Gi',
        'pods "x-" is forbidden: cpu max limit to request ratio per Pod is 2, but provided 4.0',
    ],
)
def test_a_permanent_rejection_of_a_pod_is_a_configuration_error(message):
    assert end_of(without_pod(message)) == ("FailedCreate", NOW, FailureClass.CONFIG)


@pytest.mark.parametrize(
    "message",
    [
        'pods "x-" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1',
        'pods "x-" is forbidden: exceeded quota: never-violates, requested: pods=1',
        'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot create resource "jobs"',
        'Internal error occurred: failed calling webhook "w": connection refused',
    ],
)
def test_a_temporary_rejection_of_a_pod_waits_until_the_start_deadline(message):
    wait = without_pod(message)
    assert end_of(wait) == ("FailedCreate", at(60), FailureClass.TIMEOUT)
    assert wait is not None
    assert wait.message == message


def test_a_terminating_namespace_fails_the_run_at_once():
    wait = without_pod("pods is forbidden: namespace tests because it is being terminated")
    assert end_of(wait) == ("NamespaceTerminating", NOW, FailureClass.INFRA)


def test_the_latest_rejection_decides():
    wait = without_pod("error looking up service account a/b", "exceeded quota: q")
    assert end_of(wait) == ("FailedCreate", at(60), FailureClass.TIMEOUT)


def test_without_a_rejection_no_wait_is_known():
    assert without_pod() is None


def test_a_suspended_job_waits_for_its_owner_without_a_deadline():
    expected = Wait("Suspended", "the Job is suspended", None, None)
    assert without_pod(suspend=True) == expected


def test_without_a_job_the_start_deadline_counts_from_the_creation_of_the_run():
    assert wait_policy.start_deadline(a_run(created_at=at(-10)), None) == at(50)


def test_a_wait_expires_at_its_deadline() -> None:
    wait = without_pod("exceeded quota: q")
    assert wait is not None
    assert wait.expired(at(59)) is None
    assert wait.expired(at(60)) == wait.failure


def test_a_wait_without_an_end_never_expires():
    failure = Failure(FailureClass.CONFIG, "FailedCreate", "no")
    assert Wait("Suspended", "", None, failure).expired(NOW) is None
    assert Wait("Suspended", "", NOW, failure).expired(NOW) is failure
    assert Wait("Suspended", "", at(6), failure).expired(NOW) is None


def test_a_sidecar_that_crashes_does_not_block_a_test_that_runs():
    sidecar = {"name": "proxy", "state": waiting("CrashLoopBackOff"), "restartCount": 3}
    pod = a_pod(running(), phase="Running", initContainerStatuses=[sidecar])
    assert waiting_reason(pod) is None


@pytest.mark.parametrize(
    ("reason", "shown"), [("SchedulingGated", "SchedulingGated"), ("", "Unschedulable")]
)
def test_a_pod_without_a_node_waits_with_the_scheduler_s_reason(reason, shown):
    unscheduled = a_condition("PodScheduled", "False", reason=reason, message="0/3 nodes")
    wait = pod_wait(a_pod(conditions=[unscheduled]))
    assert end_of(wait) == (shown, at(60), FailureClass.TIMEOUT)


def test_the_start_deadline_counts_from_the_start_of_the_job_else_its_creation_else_the_run():
    job = parse_job(a_job())
    for started, created, began in ((7, 3, 7), (None, 3, 3), (None, None, 0)):
        times = {
            "started_at": None if started is None else at(started),
            "created_at": None if created is None else at(created),
        }
        changed = msgspec.structs.replace(job, **times)
        assert wait_policy.start_deadline(a_run(), changed) == at(began + 60)
    assert wait_policy.start_deadline(a_run(), None) == at(60)


def test_events_are_read_20_seconds_after_the_start_of_a_job_without_a_pod():
    job = parse_job(a_job())
    assert wait_policy.needs_events_at(job, None) == at(wait_policy.EVENTS_SECONDS)
    started = msgspec.structs.replace(job, started_at=at(5))
    assert wait_policy.needs_events_at(started, None) == at(5 + wait_policy.EVENTS_SECONDS)
    created = msgspec.structs.replace(job, started_at=None, created_at=at(3))
    assert wait_policy.needs_events_at(created, None) == at(3 + wait_policy.EVENTS_SECONDS)
    unknown = msgspec.structs.replace(job, started_at=None, created_at=None)
    assert wait_policy.needs_events_at(unknown, None) is None
    assert wait_policy.needs_events_at(msgspec.structs.replace(job, suspend=True), None) is None


def test_an_event_without_a_time_is_the_oldest():
    events = [
        EventView("FailedCreate", "first", None),
        EventView("FailedCreate", "second", at(1)),
        EventView("FailedCreate", "third", None),
    ]
    wait = wait_policy.missing_pod_wait(a_run(), parse_job(a_job()), events, NOW)
    assert wait is not None
    assert wait.message == "second"


@pytest.mark.parametrize(
    ("message", "rejected"),
    [
        ('failed calling webhook "a": connection refused', True),
        ('admission webhook "a" denied the request: no', True),
        ("etcdserver: request is too large", True),
        ("etcdserver: request timed out", False),
        ("connection refused", False),
    ],
)
def test_after_an_error_of_the_server_the_object_may_exist_unless_it_was_rejected(
    message, rejected
):
    assert wait_policy.is_rejection(UnavailableError(message)) is rejected
