"""The plan of the Job controller."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparktest.devcluster.admission import TRACKING
from sparktest.devcluster.job_plan import JobPlan, plan_job
from sparktest.times import format_time

START = datetime(2026, 1, 1, tzinfo=UTC)
STARTED_AT = format_time(START)


def job(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    defaults = {"backoffLimit": 0, "completions": 1, "parallelism": 1}
    return {
        "metadata": {"name": "j"},
        "spec": defaults | spec,
        "status": status or {"startTime": STARTED_AT},
    }


def pod(name: str, phase: str, *, tracked: bool = True, **more: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "uid": name}
    if tracked:
        meta["finalizers"] = [TRACKING]
    if more.pop("terminating", False):
        meta["deletionTimestamp"] = STARTED_AT
    finished = {"terminated": {"exitCode": 1, "finishedAt": STARTED_AT}}
    status = {
        "phase": phase,
        "containerStatuses": [{"state": finished if phase == "Failed" else {}}],
    }
    return {"metadata": meta, "spec": {"nodeName": more.get("node", "n")}, "status": status}


def at(seconds: float, plan: dict[str, Any], pods: list[Any]) -> JobPlan:
    return plan_job(plan, pods, START + timedelta(seconds=seconds))


def true_conditions(plan: JobPlan) -> dict[str, str]:
    return {
        c["type"]: c["reason"] for c in plan.status.get("conditions", []) if c["status"] == "True"
    }


def names(pods: list[Any]) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def test_a_new_job_gets_a_start_time_and_its_pods() -> None:
    fresh = job(completions=3, parallelism=2)
    fresh["status"] = {}
    plan = at(0, fresh, [])
    assert plan.status["startTime"] == STARTED_AT
    assert plan.create == 2


def test_a_job_with_its_pod_waits() -> None:
    plan = at(1, job(), [pod("a", "Running")])
    assert (plan.create, plan.delete, plan.release) == (0, [], [])
    assert plan.status["active"] == 1


def test_a_success_is_counted_and_completes_the_job() -> None:
    plan = at(5, job(), [pod("a", "Succeeded")])
    assert plan.status["succeeded"] == 1
    assert names(plan.release) == ["a"]
    assert true_conditions(plan) == {
        "SuccessCriteriaMet": "CompletionsReached",
        "Complete": "CompletionsReached",
    }
    assert plan.status["completionTime"] == format_time(START + timedelta(seconds=5))
    assert "active" not in plan.status


def test_a_pod_is_counted_once() -> None:
    first = at(1, job(completions=2), [pod("a", "Succeeded")])
    second = at(1, job(first.status, completions=2), [pod("a", "Succeeded", tracked=False)])
    assert second.status["succeeded"] == 1
    assert second.create == 1


def test_a_failure_beyond_the_limit_fails_the_job() -> None:
    plan = at(1, job(), [pod("a", "Failed")])
    assert plan.status["failed"] == 1
    assert true_conditions(plan) == dict.fromkeys(
        ("FailureTarget", "Failed"), "BackoffLimitExceeded"
    )
    assert [event.reason for event in plan.events] == ["BackoffLimitExceeded"]


def test_a_failure_within_the_limit_is_retried_after_a_backoff() -> None:
    early = at(1, job(backoffLimit=1), [pod("a", "Failed")])
    assert (early.create, early.requeue_after) == (0, 9.0)
    assert (
        at(11, job(early.status, backoffLimit=1), [pod("a", "Failed", tracked=False)]).create == 1
    )


def test_the_backoff_doubles() -> None:
    status = {"startTime": STARTED_AT, "failed": 3}
    plan = at(0, job(status, backoffLimit=5), [pod("a", "Failed", tracked=False)])
    assert plan.requeue_after == 40.0


def test_the_deadline_deletes_the_pods_and_then_fails_the_job() -> None:
    running = pod("a", "Running")
    plan = at(10, job(activeDeadlineSeconds=10), [running])
    assert names(plan.delete) == ["a"]
    assert true_conditions(plan) == {"FailureTarget": "DeadlineExceeded"}
    terminating = pod("a", "Running", terminating=True)
    still = at(11, job(plan.status, activeDeadlineSeconds=10), [terminating])
    assert "Failed" not in true_conditions(still)
    assert still.status["terminating"] == 1
    last = at(
        12, job(still.status, activeDeadlineSeconds=10), [pod("a", "Failed", terminating=True)]
    )
    assert true_conditions(last)["Failed"] == "DeadlineExceeded"
    assert last.status["failed"] == 1


def test_a_job_is_planned_again_at_its_deadline() -> None:
    assert at(4, job(activeDeadlineSeconds=10), [pod("a", "Running")]).requeue_after == 6.0


def test_a_pod_deleted_before_it_had_a_node_counts_as_failed() -> None:
    plan = at(1, job(), [pod("a", "Pending", terminating=True, node="")])
    assert plan.status["failed"] == 1
    assert names(plan.release) == ["a"]


def test_suspending_deletes_the_pods_without_counting_them() -> None:
    plan = at(1, job(suspend=True), [pod("a", "Running")])
    assert names(plan.delete) == names(plan.release) == ["a"]
    assert true_conditions(plan) == {"Suspended": "JobSuspended"}
    assert "failed" not in plan.status
    resumed = at(9, job(plan.status), [])
    assert true_conditions(resumed) == {}
    assert resumed.status["startTime"] == format_time(START + timedelta(seconds=9))
    assert resumed.create == 1


def test_a_finished_job_releases_its_pods_and_does_nothing_else() -> None:
    done = at(1, job(), [pod("a", "Succeeded")]).status
    plan = at(2, job(done), [pod("a", "Succeeded"), pod("b", "Running")])
    assert plan.status == done
    assert names(plan.release) == ["a", "b"]
    assert (plan.create, plan.delete) == (0, [])


def test_a_work_queue_is_complete_when_one_pod_succeeded_and_all_ended() -> None:
    queue = job(parallelism=2)
    del queue["spec"]["completions"]
    plan = at(1, queue, [pod("a", "Succeeded"), pod("b", "Running")])
    assert true_conditions(plan) == {}
    assert plan.create == 0
    queue["status"] = plan.status
    last = at(2, queue, [pod("a", "Succeeded", tracked=False), pod("b", "Succeeded")])
    assert "Complete" in true_conditions(last)


def test_surplus_pods_are_deleted() -> None:
    plan = at(1, job(completions=5, parallelism=1), [pod("a", "Running"), pod("b", "Running")])
    assert len(plan.delete) == 1


@pytest.mark.parametrize("seconds", [2**31 - 1, 10**12])
def test_a_deadline_beyond_the_year_9999_never_expires(seconds: int) -> None:
    assert true_conditions(at(1, job(activeDeadlineSeconds=seconds), [pod("a", "Running")])) == {}
