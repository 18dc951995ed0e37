"""The outcome of a run, from the states of its Job and pods."""

import pytest

from sparktest.domain import Failure, FailureClass, RunReport, Status
from tests.kube.objects import (
    JOB_UID,
    a_condition,
    a_job,
    a_pod,
    at,
    being_deleted,
    exited,
    running,
    text,
    waiting,
)
from tests.kube.outcomes import CANCEL, NEVER_LOCATED, NOW, ended, out_of_time, seen, stopped

# --- unfinished runs ------------------------------------------------------------------------------


def test_a_job_without_a_pod_is_pending():
    assert seen(a_job()) == RunReport(status=Status.PENDING, job_uid=JOB_UID)


def test_a_run_with_a_waiting_container_is_pending():
    assert seen(a_job(), a_pod(waiting("ContainerCreating"))).status is Status.PENDING


def test_a_run_is_running_since_its_container_started():
    report = seen(a_job(), a_pod(running(2), phase="Running"))
    assert (report.status, report.started_at, report.finished_at) == (Status.RUNNING, at(2), None)


def test_a_running_run_stays_running_while_its_pod_is_missing():
    report = seen(a_job(), status=Status.RUNNING, started_at=at(2))
    assert (report.status, report.started_at) == (Status.RUNNING, at(2))


def test_a_stop_that_has_not_taken_effect_changes_nothing():
    assert seen(stopped(a_job()), a_pod(running(), phase="Running")).status is Status.RUNNING


# --- normal ends ---------------------------------------------------------------------------------


def test_exit_code_0_is_a_success_with_the_times_of_the_container():
    report = seen(a_job(), a_pod(exited(0, seconds=9), phase="Succeeded"))
    assert ended(report) == ("succeeded", None, None)
    assert (report.started_at, report.finished_at) == (at(2), at(9))


def test_any_other_exit_code_is_a_failure_of_the_test():
    report = seen(a_job(), a_pod(exited(3), phase="Failed"))
    assert ended(report) == ("failed", "test", "Error")
    assert report.failure is not None
    assert report.failure.exit_code == 3
    assert report.failure.message == "exit code 3"


def test_the_termination_message_is_part_of_the_failure():
    report = seen(a_job(), a_pod(exited(1, message="2 of 9 checks failed\n"), phase="Failed"))
    assert report.failure is not None
    assert report.failure.message == "exit code 1: 2 of 9 checks failed"


def test_the_test_has_ended_when_its_container_has_even_in_a_running_pod():
    pod = a_pod(exited(0), phase="Running")
    pod["status"]["containerStatuses"].append({"name": "istio-proxy", "state": running()})
    assert ended(seen(a_job(), pod)) == ("succeeded", None, None)


def test_a_test_that_ended_before_a_stop_took_effect_keeps_its_result():
    assert ended(seen(stopped(a_job()), a_pod(exited(0), phase="Succeeded")))[0] == "succeeded"
    assert ended(seen(stopped(a_job()), a_pod(exited(3), phase="Failed")))[2] == "Error"


def test_a_test_that_timed_out_before_a_stop_reached_its_pod_has_timed_out():
    pod = out_of_time(a_pod(exited(137)), deadline=60)
    assert ended(seen(stopped(a_job()), pod)) == ("timed_out", "timeout", "DeadlineExceeded")


# --- timeouts ------------------------------------------------------------------------------------


def test_a_pod_past_its_deadline_has_timed_out():
    report = seen(a_job(), out_of_time(a_pod(exited(137, seconds=62))))
    assert ended(report) == ("timed_out", "timeout", "DeadlineExceeded")
    assert (report.started_at, report.finished_at) == (at(2), at(62))
    assert report.failure is not None
    assert report.failure.message == "the run took longer than its timeout of 60 s"


def test_the_timeout_of_a_test_that_never_started_names_what_it_waited_for():
    pod = out_of_time(a_pod(NEVER_LOCATED))
    report = seen(a_job(), pod, status_reason="ImagePullBackOff", status_message="no such host")
    assert report.status is Status.TIMED_OUT
    assert report.started_at is None
    assert report.failure is not None
    assert report.failure.message.endswith("ImagePullBackOff: no such host")


def test_the_timeout_of_a_test_names_the_init_container_that_hangs():
    init = {"name": "migrate", "state": exited(137)}
    pod = out_of_time(a_pod(waiting("PodInitializing"), initContainerStatuses=[init]))
    report = seen(a_job(), pod)
    assert ended(report) == ("timed_out", "timeout", "DeadlineExceeded")
    assert report.failure is not None
    assert report.failure.message.endswith("60 s: init container migrate did not finish")
    assert report.failure.container == "migrate"


def test_the_timeout_of_a_test_names_the_init_container_that_still_runs():
    init = {"name": "migrate", "state": running()}
    pod = out_of_time(a_pod(waiting("PodInitializing"), initContainerStatuses=[init]))
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert failure.message.endswith("60 s: init container migrate did not finish")
    assert failure.container == "migrate"


def test_the_timeout_of_a_test_names_the_sidecar_that_did_not_start():
    sidecar = {"name": "proxy", "state": exited(137)}
    found = out_of_time(a_pod(waiting("PodInitializing"), initContainerStatuses=[sidecar]))
    found["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    failure = seen(a_job(), found).failure
    assert failure is not None
    assert "60 s: sidecar proxy did not start or keep running" in failure.message
    assert failure.container == "proxy"


@pytest.mark.parametrize(
    ("reason", "container"), [("ImagePullBackOff", None), ("Init:ImagePullBackOff", "proxy")]
)
def test_the_timeout_of_a_test_without_its_image_does_not_blame_a_sidecar(
    reason: str, container: str | None
):
    sidecar = {"name": "proxy", "state": exited(137)}
    found = out_of_time(a_pod(NEVER_LOCATED, initContainerStatuses=[sidecar]))
    found["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    failure = seen(a_job(), found, status_reason=reason, status_message="no such host").failure
    assert failure is not None
    assert failure.message.endswith(f"{reason}: no such host")
    assert failure.container == container


def test_a_job_past_its_deadline_has_timed_out():
    job = a_job(a_condition("Failed", seconds=20, reason="DeadlineExceeded"))
    report = seen(job)
    assert ended(report) == ("timed_out", "timeout", "DeadlineExceeded")
    assert report.finished_at == at(20)


# --- stops ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (CANCEL, "cancelled"),
        (Failure(class_=FailureClass.CONFIG, reason="ImagePullBackOff"), "failed"),
        (Failure(class_=FailureClass.TIMEOUT, reason="Unschedulable"), "timed_out"),
        (Failure(class_=FailureClass.INFRA, reason="NamespaceTerminating"), "failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.reason,
)
@pytest.mark.parametrize("state", [exited(143), NEVER_LOCATED], ids=["ran", "never ran"])
def test_a_stopped_pod_fails_with_the_reason_of_the_stop(failure, status, state):
    report = seen(stopped(a_job(), failure), out_of_time(a_pod(state), deadline=1))
    assert ended(report) == (status, failure.class_.value, failure.reason)


def test_a_test_that_exits_0_on_term_was_still_stopped():
    pod = out_of_time(a_pod(exited(0)), deadline=1)
    assert ended(seen(stopped(a_job()), pod)) == ("cancelled", "cancelled", "Cancelled")


def test_a_job_suspended_by_a_stop_ends_once_it_has_no_pod():
    job = stopped(a_job(a_condition("Suspended", seconds=15), suspend=True))
    pod = a_pod(conditions=[a_condition("PodScheduled", "False", reason="Unschedulable")])
    assert seen(job, being_deleted(pod, 14)).status is Status.PENDING
    report = seen(job)
    assert ended(report) == ("cancelled", "cancelled", "Cancelled")
    assert report.finished_at == at(15)


def test_a_job_may_be_suspended_without_a_time():
    condition = a_condition("Suspended")
    del condition["lastTransitionTime"]
    assert seen(stopped(a_job(condition, suspend=True))).finished_at == NOW


def test_a_job_suspended_without_a_stop_has_not_ended():
    assert seen(a_job(a_condition("Suspended"), suspend=True)).status is Status.PENDING


def test_a_stopped_job_that_failed_and_lost_its_pod_was_stopped():
    job = stopped(a_job(a_condition("Failed", reason="BackoffLimitExceeded")))
    assert ended(seen(job)) == ("cancelled", "cancelled", "Cancelled")


# --- times ---------------------------------------------------------------------------------------


def test_a_container_without_an_end_ended_at_the_last_change_of_its_pod():
    pod = out_of_time(a_pod(NEVER_LOCATED), deadline=1)
    pod["status"]["conditions"] += [a_condition("Ready", "False", seconds=12)]
    assert seen(stopped(a_job()), pod, started_at=at(2)).finished_at == at(12)


def test_a_pod_that_never_started_ended_when_it_was_deleted_else_now():
    # Its conditions are of the time when it got its node.
    pod = out_of_time(a_pod(NEVER_LOCATED, conditions=[a_condition("Ready", "False", seconds=1)]))
    assert seen(stopped(a_job()), pod).finished_at == NOW
    assert seen(stopped(a_job()), being_deleted(pod, 20)).finished_at == at(20)


@pytest.mark.parametrize(
    ("waited_for", "reason"),
    [
        ("FailedMount", "FailedMount"),
        ("FailedMapVolume", "FailedMapVolume"),
        ("FailedAttachVolume", "FailedAttachVolume"),
        ("ImagePullBackOff", "DeadlineExceeded"),
    ],
)
def test_a_timeout_while_a_volume_could_not_be_mounted_has_that_reason(waited_for, reason):
    report = seen(a_job(), out_of_time(a_pod()), status_reason=waited_for, status_message="why")
    assert ended(report) == ("timed_out", "timeout", reason)
    assert report.failure is not None
    assert report.failure.message.endswith(f"of 60 s: {waited_for}: why")


def test_a_run_never_ends_before_it_starts():
    state = exited(0, seconds=1)
    assert seen(a_job(), a_pod(state, phase="Succeeded")).finished_at == at(2)


# --- the main pod --------------------------------------------------------------------------------


def test_the_pod_that_is_not_being_deleted_counts():
    old = being_deleted(a_pod(running(), phase="Running"), 5)
    new = a_pod(waiting("ContainerCreating"))
    new["metadata"] |= {"name": "test-run-1-y", "creationTimestamp": text(4)}
    assert seen(a_job(), old, new).status is Status.PENDING


def test_a_pod_that_succeeded_without_container_statuses_passed():
    assert seen(a_job(), a_pod(phase="Succeeded")).status is Status.SUCCEEDED


def test_a_timeout_before_the_start_names_what_is_known():
    pod = out_of_time(a_pod())
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert failure.message == "the test did not start within its timeout of 60 s"
    waited = seen(a_job(), pod, status_reason="Unschedulable", status_message="0/3 nodes").failure
    assert waited is not None
    assert waited.message.endswith("60 s: Unschedulable: 0/3 nodes")


def test_a_timeout_of_one_second_is_not_taken_for_a_stop():
    pod = out_of_time(a_pod(exited(137)), deadline=1)
    assert seen(a_job(), pod, timeout_seconds=1).status is Status.TIMED_OUT


def test_a_timeout_names_a_reason_without_a_message():
    failure = seen(a_job(), out_of_time(a_pod()), status_reason="Unschedulable").failure
    assert failure is not None
    assert failure.message.endswith("60 s: Unschedulable")


def test_a_complete_job_without_a_completion_time_ended_when_its_condition_changed():
    report = seen(a_job(a_condition("Complete", seconds=12)))
    assert (report.status, report.finished_at) == (Status.SUCCEEDED, at(12))


def test_a_report_has_the_commit_as_soon_as_it_is_checked_out_and_also_at_the_end():
    clone = {"name": "sparktest-git", "state": exited(0, message="a" * 40)}
    for pod in (
        a_pod(waiting("PodInitializing"), initContainerStatuses=[clone]),
        a_pod(exited(1), phase="Failed", initContainerStatuses=[clone]),
    ):
        assert seen(a_job(), pod).git_commit == "a" * 40
    assert seen(a_job(), a_pod(exited(1), phase="Failed")).git_commit is None
