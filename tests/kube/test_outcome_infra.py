"""Outcomes that are the infrastructure's fault, and what decides where several could."""

from datetime import timedelta

import pytest

from sparktest.domain import Failure, FailureClass, Status
from sparktest.kube import outcome
from sparktest.kube.pod_view import parse_pod
from tests.kube.objects import (
    JOB_UID,
    a_condition,
    a_job,
    a_pod,
    a_run,
    at,
    being_deleted,
    exited,
    running,
    text,
)
from tests.kube.outcomes import NOW, compute_report, ended, seen, stopped


def test_out_of_memory_is_not_a_failure_of_the_test():
    report = seen(a_job(), a_pod(exited(137, reason="OOMKilled"), phase="Failed"))
    assert ended(report) == ("failed", "infra", "OOMKilled")
    assert report.failure is not None
    assert report.failure.exit_code == 137


def test_an_evicted_pod_is_an_infrastructure_failure():
    pod = a_pod(phase="Failed", reason="Evicted", message="The node was low on memory")
    report = seen(a_job(), pod)
    assert ended(report) == ("failed", "infra", "Evicted")
    assert report.failure is not None
    assert report.failure.message == "The node was low on memory"


@pytest.mark.parametrize(
    "reason",
    ["NodeAffinity", "PodOSNotSupported", "PodOSSelectorNodeLabelDoesNotMatch", "SysctlForbidden"],
)
def test_a_pod_that_its_node_refuses_is_a_configuration_error(reason):
    pod = a_pod(phase="Failed", reason=reason, message="Pod was rejected: why")
    report = seen(a_job(), pod)
    assert report.failure == Failure(FailureClass.CONFIG, reason, "Pod was rejected: why")
    ran = a_pod(exited(0), phase="Failed", reason=reason)
    assert ended(seen(a_job(), ran)) == ("failed", "infra", reason)


@pytest.mark.parametrize("reason", ["NodeLost", "NodeShutdown", "Evicted", "OutOfcpu"])
def test_the_reason_of_the_pod_is_the_reason_of_the_failure(reason):
    assert ended(seen(a_job(), a_pod(phase="Failed", reason=reason))) == ("failed", "infra", reason)


@pytest.mark.parametrize(
    ("disruption", "reason"),
    [
        ("EvictionByEvictionAPI", "Evicted"),
        ("PreemptionByScheduler", "Preempted"),
        ("DeletionByTaintManager", "NodeLost"),
        ("DeletionByPodGC", "NodeLost"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_a_disrupted_pod_fails_with_the_reason_of_the_disruption(disruption, reason):
    conditions = [a_condition("DisruptionTarget", reason=disruption, message="why")]
    pod = being_deleted(a_pod(exited(143), phase="Failed", conditions=conditions), 8)
    assert ended(seen(a_job(), pod)) == ("failed", "infra", reason)


@pytest.mark.parametrize("code", [0, 143])
@pytest.mark.parametrize(
    ("own_reason", "reason"),
    [
        ("Evicted", "Evicted"),
        ("Terminated", "NodeShutdown"),
        ("Shutdown", "NodeShutdown"),
        ("Preempting", "Preempted"),
    ],
)
def test_the_reason_of_the_pod_decides_before_the_exit_code(own_reason, reason, code):
    conditions = [a_condition("DisruptionTarget", seconds=8, reason="TerminationByKubelet")]
    pod = a_pod(exited(code), phase="Failed", reason=own_reason, conditions=conditions)
    assert ended(seen(a_job(), pod)) == ("failed", "infra", reason)


@pytest.mark.parametrize("code", [0, 143])
@pytest.mark.parametrize(("disrupted_at", "is_test_result"), [(8, False), (9, False), (10, True)])
def test_a_disruption_decides_before_the_exit_code_unless_it_came_later(
    disrupted_at, is_test_result, code
):
    conditions = [
        a_condition("DisruptionTarget", seconds=disrupted_at, reason="EvictionByEvictionAPI")
    ]
    report = seen(a_job(), a_pod(exited(code, seconds=9), phase="Failed", conditions=conditions))
    if is_test_result:
        assert ended(report)[2] == (None if code == 0 else "Error")
    else:
        assert ended(report) == ("failed", "infra", "Evicted")


def test_a_pod_of_a_lost_node_that_was_garbage_collected_has_lost_its_node():
    conditions = [a_condition("DisruptionTarget", seconds=20, reason="DeletionByPodGC")]
    pod = a_pod(running(), phase="Failed", conditions=conditions)
    assert ended(seen(a_job(), pod)) == ("failed", "infra", "NodeLost")


def test_a_pod_deleted_by_a_user_is_an_infrastructure_failure():
    pod = being_deleted(a_pod(exited(137, seconds=18), phase="Failed"), 8)
    report = seen(a_job(), pod)
    assert ended(report) == ("failed", "infra", "PodDeleted")
    assert report.failure is not None
    assert report.failure.message == "the pod was deleted before the test ended"


def test_a_pod_that_is_deleted_with_its_job_is_the_end_of_the_job():
    pod = being_deleted(a_pod(exited(137, seconds=18), phase="Failed"), 8)
    foreground = a_job()
    foreground["metadata"]["deletionTimestamp"] = text(8)
    for job in (None, foreground):
        report = seen(job, pod)
        assert ended(report) == ("failed", "infra", "JobDeleted")
        assert report.failure is not None
        assert report.failure.message == "the Job was deleted before the test ended"


def test_a_pod_that_is_deleted_while_its_run_is_stopped_was_stopped():
    pod = being_deleted(a_pod(exited(137, seconds=18), phase="Failed"), 8)
    assert ended(seen(stopped(a_job()), pod)) == ("cancelled", "cancelled", "Cancelled")


def test_a_report_has_the_uid_of_the_job_before_the_api_knows_it():
    assert seen(a_job(), job_uid=None).job_uid == JOB_UID


def test_a_disruption_may_have_no_reason():
    pod = a_pod(exited(1), phase="Failed", conditions=[a_condition("DisruptionTarget")])
    failure = seen(a_job(), pod).failure
    assert failure == Failure(FailureClass.INFRA, "Disrupted", "")


def test_a_job_may_fail_without_a_time():
    condition = a_condition("Failed", reason="BackoffLimitExceeded")
    del condition["lastTransitionTime"]
    assert seen(a_job(condition)).finished_at == NOW


def test_a_pod_whose_test_has_ended_is_never_lost():
    assert outcome.lost_deadline(parse_pod(being_deleted(a_pod(running()), 5))) == at(75)
    assert outcome.lost_deadline(parse_pod(being_deleted(a_pod(exited(0)), 5))) is None


def test_a_disruption_without_a_time_came_before_the_end_of_the_test():
    disruption = a_condition("DisruptionTarget", reason="EvictionByEvictionAPI")
    del disruption["lastTransitionTime"]
    pod = a_pod(exited(1), phase="Failed", conditions=[disruption])
    assert ended(seen(a_job(), pod)) == ("failed", "infra", "Evicted")


@pytest.mark.parametrize("kind", ["FailureTarget", "Failed"])
def test_a_pod_deleted_by_a_job_past_its_deadline_has_timed_out(kind):
    pod = being_deleted(a_pod(exited(143, seconds=18), phase="Failed"), 8)
    job = a_job(a_condition(kind, seconds=8, reason="DeadlineExceeded"))
    assert ended(seen(job, pod)) == ("timed_out", "timeout", "DeadlineExceeded")


def test_exit_code_0_after_the_pod_was_deleted_is_not_a_success():
    pod = being_deleted(a_pod(exited(0, seconds=8), phase="Succeeded"), 8)
    assert ended(seen(a_job(), pod)) == ("failed", "infra", "PodDeleted")


def test_a_pod_deleted_after_its_test_ended_keeps_the_result():
    pod = being_deleted(a_pod(exited(3, seconds=7), phase="Failed"), 8)
    assert ended(seen(a_job(), pod)) == ("failed", "test", "Error")


def test_a_pod_that_outlives_its_grace_period_has_lost_its_node():
    pod = being_deleted(a_pod(running(), phase="Running"), 0, grace=10)
    assert compute_report(a_run(), a_job(), [pod], at(69)).status is Status.RUNNING
    report = compute_report(a_run(), a_job(), [pod], at(70))
    assert ended(report) == ("failed", "infra", "NodeLost")
    assert report.failure is not None
    message = "its node stopped responding before the pod could be ended"
    assert report.failure.message == message


def test_a_deletion_time_at_the_end_of_the_calendar_never_expires():
    pod = a_pod(running(), phase="Running")
    pod["metadata"]["deletionTimestamp"] = "9999-12-31T23:59:59Z"
    assert seen(a_job(), pod).status is Status.RUNNING


def test_a_stopped_run_on_a_lost_node_was_still_stopped():
    pod = being_deleted(a_pod(running(), phase="Running"), 0)
    report = compute_report(a_run(), stopped(a_job()), [pod], at(100))
    assert ended(report) == ("cancelled", "cancelled", "Cancelled")


def test_a_failed_job_whose_pod_is_gone_lost_its_pod():
    report = seen(a_job(a_condition("Failed", seconds=20, reason="BackoffLimitExceeded")))
    assert ended(report) == ("failed", "infra", "PodDeleted")
    assert report.finished_at == at(20)
    message = "the pod was gone before its result could be read (BackoffLimitExceeded)"
    assert report.failure == Failure(FailureClass.INFRA, "PodDeleted", message)


def test_a_complete_job_whose_pod_is_gone_succeeded():
    job = a_job(a_condition("Complete", seconds=21))
    job["status"]["completionTime"] = text(20)
    assert ended(seen(job)) == ("succeeded", None, None)
    assert seen(job).finished_at == at(20)


def test_a_missing_job_was_deleted():
    report = seen(None)
    assert ended(report) == ("failed", "infra", "JobDeleted")
    assert (report.job_uid, report.finished_at) == (JOB_UID, NOW)
    assert report.failure is not None
    assert report.failure.message == "the Job was deleted before it ended"


def test_a_pod_that_outlives_its_job_has_the_result():
    assert ended(seen(None, a_pod(exited(3), phase="Failed"))) == ("failed", "test", "Error")


def test_a_pod_may_fail_without_a_reason():
    report = seen(a_job(), a_pod(phase="Failed"))
    assert ended(report) == ("failed", "infra", "PodFailed")
    assert report.failure is not None
    assert report.failure.message == "the pod failed without a reason"


def test_a_test_may_end_without_a_reason():
    pod = a_pod(exited(3, reason=""), phase="Failed")
    assert ended(seen(a_job(), pod)) == ("failed", "test", "Error")


def test_a_pod_counts_as_lost_from_its_deadline_on():
    pod = being_deleted(a_pod(running(), phase="Running"), seconds=20, grace=10)
    lost = outcome.lost_deadline(parse_pod(pod))
    assert lost is not None
    just_before = compute_report(a_run(), a_job(), [pod], lost - timedelta(microseconds=1))
    assert just_before.status is Status.RUNNING
    assert compute_report(a_run(), a_job(), [pod], lost).failure is not None


def test_the_reason_of_a_pod_decides_before_the_exit_code():
    pod = a_pod(exited(1), phase="Failed", reason="UnexpectedAdmissionError", message="no device")
    failure = seen(a_job(), pod).failure
    assert failure == Failure(FailureClass.INFRA, "UnexpectedAdmissionError", "no device")


@pytest.mark.parametrize(
    ("pod_message", "shown"), [("", "taint"), ("the node was low on memory", "the node was low")]
)
def test_the_message_of_a_disruption_is_used_where_the_pod_has_none(pod_message, shown):
    target = a_condition(
        "DisruptionTarget", seconds=5, reason="DeletionByTaintManager", message="taint"
    )
    pod = a_pod(exited(143), phase="Failed", conditions=[target], message=pod_message)
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.INFRA, "NodeLost")
    assert failure.message.startswith(shown)


@pytest.mark.parametrize(
    ("message", "shown"), [("", "the test used more memory than its limit"), ("cgroup", "cgroup")]
)
def test_an_oom_kill_always_has_a_message(message, shown):
    pod = a_pod(exited(137, reason="OOMKilled", message=message), phase="Failed")
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert failure.message == shown
