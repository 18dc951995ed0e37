"""The law, case by case: what is known decides what is done next."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller.observation import Observation, Registration
from sparktest.controller.plan import is_done, plan
from sparktest.controller.steps import (
    AddFinalizer,
    ClaimRun,
    CreateJob,
    DeferUntilApiUp,
    FetchRun,
    FollowLog,
    PatchJobTtl,
    PatchStatus,
    ReadEvents,
    ReadLive,
    RecordEvent,
    Register,
    ReleaseFinalizer,
    ReportRun,
    RequeueAt,
    Step,
    StopJob,
)
from sparktest.domain import FailureClass, Origin, Run, RunReport, Status
from sparktest.kube.jobs import FINALIZER, STOP
from sparktest.kube.outcome import LOST, encode_stop_reason, make_failure
from tests.controller.objects import LATER, MISSING, NOW, REF, job, observation, pod, run

CANCELLED = make_failure(FailureClass.CANCELLED, "Cancelled", "spec.cancelled was set to true")
TEXT = "%Y-%m-%dT%H:%M:%SZ"


def of(status: Status = Status.PENDING, **fields: Any) -> Run:
    """A run of this cluster and this TestRun."""
    return run(status, cluster="here", k8s_ref=REF, **fields)


def has_finalizer(
    found: Run | None = None, *, spec: Any = None, metadata: Any = None, **more: Any
) -> Observation:
    """With a TestRun that has our finalizer."""
    made = observation(found, more.pop("status", None), **more)
    assert made.testrun is not None
    made.testrun["metadata"] |= {"finalizers": [FINALIZER]} | (metadata or {})
    made.testrun["spec"] |= spec or {}
    return made


def kinds(steps: list[Step]) -> list[type[Step]]:
    return [type(step) for step in steps]


def failure(steps: list[Step]) -> str | None:
    """The reason of the only report's failure."""
    (report,) = (step.report for step in steps if isinstance(step, ReportRun))
    return report.failure.reason if report.failure else None


# --- before there is a run -----------------------------------------------------------------------


def test_a_new_testrun_is_held_then_registered() -> None:
    assert plan(observation(), NOW) == [AddFinalizer()]
    assert plan(has_finalizer(), NOW) == [Register()]


def test_one_that_is_deleted_before_it_is_held_is_left_alone() -> None:
    found = observation()
    assert found.testrun is not None
    found.testrun["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert plan(found, NOW) == []


def test_one_that_is_refused_is_told_and_let_go() -> None:
    classify_rejection = has_finalizer(registration=Registration.REJECTED, permanent_error=MISSING)
    assert kinds(plan(classify_rejection, NOW)) == [PatchStatus, RecordEvent, ReleaseFinalizer]


def test_one_whose_end_is_recorded_needs_no_api_to_be_let_go() -> None:
    found = has_finalizer(
        status={"phase": "Succeeded"},
        spec={"ttlSecondsAfterFinished": 5},
        job=job(),
        api_error="gone",
    )
    assert plan(found, NOW) == [PatchJobTtl(5), ReleaseFinalizer()]


def test_a_job_of_an_unknown_run_is_asked_for_once() -> None:
    assert plan(observation(testrun=None, job=job()), NOW) == [FetchRun("run-1")]
    absent = observation(testrun=None, job=job(), registration=Registration.NOT_FOUND)
    assert plan(absent, NOW) == []


def test_an_api_run_is_claimed_and_that_of_another_cluster_left_alone() -> None:
    ours = run(origin=Origin.API)
    assert plan(observation(ours, testrun=None), NOW) == [ClaimRun()]
    theirs = run(origin=Origin.API, cluster="there")
    assert plan(observation(theirs, testrun=None), NOW) == []


# --- without a Job -------------------------------------------------------------------------------


def test_a_job_is_created_only_on_what_the_api_said_just_now() -> None:
    assert plan(has_finalizer(of(), just_fetched=True), NOW) == [CreateJob()]
    assert plan(has_finalizer(of()), NOW) == [FetchRun("run-1")]


def test_a_run_that_has_had_its_job_gets_no_second() -> None:
    found = has_finalizer(of(job_uid="job-1"), job_uid="job-1", just_fetched=True)
    assert plan(found, NOW) == [ReadLive()]
    found = has_finalizer(of(job_uid="job-1"), job_uid="job-1", live=True)
    assert failure(plan(found, NOW)) == "JobDeleted"


def test_another_job_under_the_name_is_not_the_runs_own() -> None:
    found = has_finalizer(of(job_uid="job-0"), job_uid="job-0", job=job(status={}), live=True)
    assert failure(plan(found, NOW)) == "JobDeleted"


def test_a_cancelled_run_whose_job_is_gone_was_cancelled() -> None:
    found = has_finalizer(of(job_uid="job-1"), job_uid="job-1", live=True, spec={"cancelled": True})
    assert failure(plan(found, NOW)) == "Cancelled"


def test_a_run_whose_testrun_is_gone_too_is_closed_once_that_is_certain() -> None:
    gone = observation(of(job_uid="job-1"), testrun=None, job_uid="job-1")
    assert plan(gone, NOW) == [ReadLive()]
    gone = observation(of(job_uid="job-1"), testrun=None, job_uid="job-1", live=True)
    assert failure(plan(gone, NOW)) == "ObjectGone"


def test_a_testrun_that_no_watch_has_told_of_is_looked_for_before_its_run_is_closed() -> None:
    assert plan(observation(of(), testrun=None, just_fetched=True), NOW) == [ReadLive()]
    sure = observation(of(), testrun=None, just_fetched=True, live=True)
    assert failure(plan(sure, NOW)) == "ObjectDeleted"


def test_a_job_that_can_never_be_created_ends_the_run() -> None:
    assert (
        failure(plan(has_finalizer(of(), just_fetched=True, permanent_error=MISSING), NOW))
        == MISSING.reason
    )


# --- with a Job ----------------------------------------------------------------------------------


def running(**more: Any) -> Observation:
    """A test that runs, and all of it is recorded."""
    started = of(Status.RUNNING, job_uid="job-1", started_at=NOW)
    going = pod("running", phase="Running")
    going["spec"] = {"nodeName": "node1", "activeDeadlineSeconds": 3600}
    state = {"running": {"startedAt": NOW.strftime(TEXT)}}
    going["status"]["containerStatuses"][0]["state"] = state
    given = {"job": job(status={}), "job_uid": "job-1", "pods": [going], "following": True}
    return has_finalizer(started, **(given | more))


def last_status(found: Observation) -> Observation:
    """The same, once its TestRun says what is recorded."""
    status = next(step.status for step in plan(found, NOW) if isinstance(step, PatchStatus))
    assert found.testrun is not None
    found.testrun["status"] = status
    return found


def test_of_a_test_that_goes_on_nothing_is_left_to_do() -> None:
    assert plan(last_status(running()), LATER) == []


def test_its_log_is_followed_from_the_start() -> None:
    assert FollowLog() in plan(running(following=False), NOW)


def test_it_is_stopped_once() -> None:
    found = running(spec={"cancelled": True})
    assert StopJob(CANCELLED) in plan(found, NOW)
    assert found.job is not None
    found.job["metadata"]["annotations"] = {STOP: encode_stop_reason(CANCELLED)}
    assert StopJob(CANCELLED) in plan(found, NOW), "it is noted and not done"
    found.pods[0]["spec"]["activeDeadlineSeconds"] = 1
    assert not any(isinstance(step, StopJob) for step in plan(found, NOW))


def test_it_is_stopped_for_a_testrun_that_is_gone_once_that_is_certain() -> None:
    assert ReadLive() in plan(_orphan(live=False), NOW)
    stops = [step for step in plan(_orphan(live=True), NOW) if isinstance(step, StopJob)]
    assert [stop.failure.reason for stop in stops] == ["ObjectDeleted"]


def _orphan(*, live: bool) -> Observation:
    found = running()
    return observation(
        found.run,
        testrun=None,
        job=found.job,
        job_uid="job-1",
        pods=found.pods,
        following=True,
        live=live,
    )


def test_a_job_without_a_pod_is_asked_why_after_a_while() -> None:
    waiting = job(status={"startTime": NOW.strftime(TEXT)})
    found = has_finalizer(of(job_uid="job-1"), job=waiting, job_uid="job-1")
    at = NOW + timedelta(seconds=20)
    assert RequeueAt(at) in plan(found, NOW)
    assert ReadEvents() in plan(found, at)


def test_a_pod_on_a_node_that_is_lost_is_given_up_in_time() -> None:
    found = last_status(running())
    found.pods[0]["metadata"]["deletionTimestamp"] = NOW.strftime(TEXT)
    assert plan(found, NOW) == [RequeueAt(NOW + LOST)]
    assert plan(found, NOW + LOST) == [ReadLive()]


def test_an_end_that_only_the_cache_of_jobs_tells_of_is_confirmed_first() -> None:
    ended = has_finalizer(of(Status.RUNNING, job_uid="job-1"), job=job(), job_uid="job-1")
    assert plan(ended, NOW) == [ReadLive()]


def test_what_was_reported_is_not_reported_again() -> None:
    found = running()
    assert found.run is not None
    report = RunReport(status=Status.RUNNING, job_uid="job-1", started_at=NOW)
    behind = of(Status.PENDING, job_uid="job-1")
    given = {"job": found.job, "job_uid": "job-1", "pods": found.pods, "following": True}
    assert ReportRun(report) in plan(has_finalizer(behind, **given), NOW)
    assert ReportRun(report) not in plan(has_finalizer(behind, **given, last_report=report), NOW)


# --- whatever else -------------------------------------------------------------------------------


def test_while_the_api_is_away_only_what_needs_it_waits() -> None:
    found = running(spec={"cancelled": True}, following=False, api_error="gone", api_down_since=NOW)
    steps = plan(found, NOW)
    assert kinds(steps)[:2] == [StopJob, FollowLog]
    assert DeferUntilApiUp() not in steps
    assert kinds(plan(has_finalizer(of(), api_error="gone", api_down_since=NOW), NOW)) == [
        DeferUntilApiUp,
        RequeueAt,
    ]


def test_an_audit_asks_the_api_before_anything_else() -> None:
    is_finished = observation(
        None, {"phase": "Succeeded", "runId": "run-1"}, job=job(), verify_exists=True
    )
    assert plan(is_finished, NOW) == [FetchRun("run-1")]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (observation(None, {"phase": "Succeeded"}), True),
        (has_finalizer(status={"phase": "Succeeded"}), False),
        (observation(None, {"phase": "Running"}), False),
        (observation(testrun=None), True),
        (observation(run(), testrun=None), False),
        (observation(testrun=None, job=job()), False),
        (observation(testrun=None, job=job(ttlSecondsAfterFinished=0)), True),
        (
            observation(None, {"phase": "Failed"}, job=job(), registration=Registration.DELETED),
            False,
        ),
        (observation(None, {"phase": "Failed", "runId": "run-1"}, verify_exists=True), False),
    ],
    ids=[
        "recorded",
        "held",
        "not recorded",
        "nothing there",
        "run not ended",
        "Job without TTL",
        "Job with TTL",
        "Job of a deleted run",
        "audit",
    ],
)
def test_a_run_is_settled_when_nothing_is_left_to_do(found: Observation, wanted: bool) -> None:
    assert is_done(found) is wanted
