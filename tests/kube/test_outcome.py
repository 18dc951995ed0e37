"""The outcome of a run, from the states of its Job and pods."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from sparktest.kube import outcome
from sparktest.kube.jobs import STOP, encode_stop_reason
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import parse_job
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
    waiting,
)

NOW = at(30)
NEVER_LOCATED = {
    "terminated": {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
}
CANCEL = Failure(class_=FailureClass.CANCELLED, reason="Cancelled", message="by Ann")


def stopped(job: dict[str, Any], failure: Failure = CANCEL) -> dict[str, Any]:
    job["metadata"]["annotations"][STOP] = encode_stop_reason(failure)
    return job


def out_of_time(pod: dict[str, Any], deadline: int = 60) -> dict[str, Any]:
    pod["spec"]["activeDeadlineSeconds"] = deadline
    pod["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded"}
    return pod


def compute_report(run: Run, job: Any, pods: list[Any], now: datetime) -> RunReport:
    """Parse the objects as a cache does, then compute the report."""
    parsed = parse_job(job) if job is not None else None
    return outcome.compute_report(run, parsed, [parse_pod(pod) for pod in pods], now)


def seen(job: dict[str, Any] | None, *pods: dict[str, Any], **run: Any) -> RunReport:
    return compute_report(a_run(**run), job, list(pods), NOW)


def ended(report: RunReport) -> tuple[str, str | None, str | None]:
    failure = report.failure
    return (
        report.status.value,
        failure.class_.value if failure else None,
        failure.reason if failure else None,
    )


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
    assert "longer than its timeout of 60 s" in report.failure.message


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


def test_a_job_suspended_without_a_stop_has_not_ended():
    assert seen(a_job(a_condition("Suspended"), suspend=True)).status is Status.PENDING


def test_a_stopped_job_that_failed_and_lost_its_pod_was_stopped():
    job = stopped(a_job(a_condition("Failed", reason="BackoffLimitExceeded")))
    assert ended(seen(job)) == ("cancelled", "cancelled", "Cancelled")


# --- infrastructure -------------------------------------------------------------------------------


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


@pytest.mark.parametrize("reason", ["NodeAffinity", "PodOSNotSupported", "SysctlForbidden"])
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
    for job in (a_job(), None):
        report = seen(job, pod)
        assert ended(report) == ("failed", "infra", "PodDeleted")
        assert report.failure is not None
        assert report.failure.message == "the pod was deleted before the test ended"


def test_a_pod_that_is_deleted_while_its_run_is_stopped_was_stopped():
    pod = being_deleted(a_pod(exited(137, seconds=18), phase="Failed"), 8)
    assert ended(seen(stopped(a_job()), pod)) == ("cancelled", "cancelled", "Cancelled")


def test_a_report_has_the_uid_of_the_job_before_the_api_knows_it():
    assert seen(a_job(), job_uid=None).job_uid == JOB_UID


def test_a_disruption_may_have_no_reason():
    pod = a_pod(exited(1), phase="Failed", conditions=[a_condition("DisruptionTarget")])
    assert ended(seen(a_job(), pod)) == ("failed", "infra", "Disrupted")


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


# --- configuration errors -------------------------------------------------------------------------


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
    assert ended(seen(a_job(), a_pod(NEVER_LOCATED, phase="Failed"))) == (
        "failed",
        "infra",
        "ContainerStatusUnknown",
    )


# --- times ---------------------------------------------------------------------------------------


def test_a_container_without_an_end_ended_at_the_last_change_of_its_pod():
    pod = out_of_time(a_pod(NEVER_LOCATED), deadline=1)
    pod["status"]["conditions"] += [a_condition("Ready", "False", seconds=12)]
    assert seen(stopped(a_job()), pod).finished_at == at(12)


def test_a_run_never_ends_before_it_starts():
    state = exited(0, seconds=1)
    assert seen(a_job(), a_pod(state, phase="Succeeded")).finished_at == at(2)


# --- the main pod --------------------------------------------------------------------------------


def test_the_pod_that_is_not_being_deleted_counts():
    old = being_deleted(a_pod(running(), phase="Running"), 5)
    new = a_pod(waiting("ContainerCreating"))
    new["metadata"] |= {"name": "test-run-1-y", "creationTimestamp": text(4)}
    assert seen(a_job(), old, new).status is Status.PENDING


# --- properties -----------------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.sampled_from(
        [
            "",
            "True",
            "False",
            "Failed",
            "Succeeded",
            "Complete",
            "Error",
            "DeadlineExceeded",
            text(3),
        ]
    )
)
STATES = st.dictionaries(
    st.sampled_from(["waiting", "running", "terminated"]),
    st.dictionaries(
        st.sampled_from(["reason", "message", "exitCode", "startedAt", "finishedAt"]), SCALARS
    ),
)
CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Complete", "Failed", "Suspended", "DisruptionTarget", "x"]),
            "status": st.sampled_from(["True", "False", "Unknown"]),
        },
        optional={"reason": SCALARS, "message": SCALARS, "lastTransitionTime": SCALARS},
    ),
    max_size=3,
)
PODS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "metadata": st.dictionaries(
                st.sampled_from(
                    ["name", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
                ),
                SCALARS,
            ),
            "spec": st.dictionaries(
                st.sampled_from(["nodeName", "activeDeadlineSeconds"]), SCALARS
            ),
            "status": st.fixed_dictionaries(
                {},
                optional={
                    "phase": SCALARS,
                    "reason": SCALARS,
                    "conditions": CONDITIONS,
                    "initContainerStatuses": st.lists(
                        st.fixed_dictionaries(
                            {"name": SCALARS, "state": STATES}, optional={"restartCount": SCALARS}
                        ),
                        max_size=2,
                    ),
                    "containerStatuses": st.lists(
                        st.fixed_dictionaries({"name": st.just("test"), "state": STATES}),
                        max_size=2,
                    ),
                },
            ),
        },
    ),
    max_size=3,
)
JOBS = st.none() | st.builds(
    lambda conditions, annotation: (
        a_job(*conditions) | {"metadata": {"uid": JOB_UID, "annotations": annotation}}
    ),
    CONDITIONS,
    st.none() | st.just({STOP: json.dumps({"class": "config", "reason": "x"})}),
)


@given(JOBS, PODS)
def test_objects_of_any_shape_give_a_complete_report(job, pods):
    report = compute_report(a_run(), job, pods, NOW)
    if report.status.final:
        assert report.finished_at is not None
        assert (report.failure is None) == (report.status is Status.SUCCEEDED)
        assert report.started_at is None or report.started_at <= report.finished_at
    else:
        assert report.finished_at is None
        assert report.failure is None


@given(JOBS, PODS)
def test_an_outcome_does_not_change_over_time(job, pods):
    first = compute_report(a_run(), job, pods, NOW)
    if first.status.final:
        assert compute_report(a_run(), job, pods, at(4000)).status is first.status


# --- what decides where several things could ------------------------------------------------------


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


@pytest.mark.parametrize(("reason", "shown"), [("OOMKilled", "Init:OOMKilled"), ("", "Init:Error")])
def test_a_failed_init_container_keeps_its_reason(reason, shown):
    init = {"name": "prepare", "state": exited(137, reason=reason)}
    pod = a_pod(waiting("PodInitializing"), phase="Failed", initContainerStatuses=[init])
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.CONFIG, shown)


@pytest.mark.parametrize(
    ("message", "shown"), [("", "the test used more memory than its limit"), ("cgroup", "cgroup")]
)
def test_an_oom_kill_always_has_a_message(message, shown):
    pod = a_pod(exited(137, reason="OOMKilled", message=message), phase="Failed")
    failure = seen(a_job(), pod).failure
    assert failure is not None
    assert failure.message == shown


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


def test_a_pod_that_the_dev_cluster_cannot_run_is_a_config_failure():
    pod = a_pod(waiting("ContainerCreating"))
    message = "the dev cluster cannot mount volume data (csi)"
    pod["status"] |= {"phase": "Failed", "reason": "Unsupported", "message": message}
    report = seen(a_job(), pod)
    assert report.failure == Failure(FailureClass.CONFIG, "Unsupported", message)


def test_a_report_has_the_commit_as_soon_as_it_is_checked_out_and_also_at_the_end():
    clone = {"name": "sparktest-git", "state": exited(0, message="a" * 40)}
    for pod in (
        a_pod(waiting("PodInitializing"), initContainerStatuses=[clone]),
        a_pod(exited(1), phase="Failed", initContainerStatuses=[clone]),
    ):
        assert seen(a_job(), pod).git_commit == "a" * 40
    assert seen(a_job(), a_pod(exited(1), phase="Failed")).git_commit is None
