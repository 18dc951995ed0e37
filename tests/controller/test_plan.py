"""The steps that are planned for each kind of observation."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from sparktest.controller.observation import Observation, Registration
from sparktest.controller.plan import is_done, plan
from sparktest.controller.steps import (
    AddFinalizer,
    CheckNamespace,
    ClaimRun,
    CollectLog,
    CreateJob,
    DeferUntilApiUp,
    FetchRun,
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
from sparktest.domain import Failure, FailureClass, Origin, Run, RunReport, Status
from sparktest.kube.jobs import FINALIZER, STOP, encode_stop_reason
from sparktest.kube.outcome import LOST_AFTER
from sparktest.kube.views import parse_job
from tests.controller.objects import (
    LATER,
    MISSING,
    NOW,
    REF,
    a_testrun,
    job,
    job_object,
    observation,
    pod,
    run,
)

CANCELLED = Failure(FailureClass.CANCELLED, "Cancelled", "spec.cancelled was set to true")
TEXT = "%Y-%m-%dT%H:%M:%SZ"


def our_run(status: Status = Status.PENDING, **fields: Any) -> Run:
    """Return the run of the TestRun in this cluster."""
    return run(status, cluster="here", k8s_ref=REF, **fields)


def observed(found: Run | None = None, *, spec: Any = None, **more: Any) -> Observation:
    """Return the observation of a run whose TestRun has our finalizer."""
    testrun = a_testrun(more.pop("status", None), spec, finalizers=[FINALIZER])
    return observation(found, **({"testrun": testrun} | more))


def kinds(steps: list[Step]) -> list[type[Step]]:
    return [type(step) for step in steps]


def failure(steps: list[Step]) -> str | None:
    """Return the reason of the only report's failure."""
    (report,) = (step.report for step in steps if isinstance(step, ReportRun))
    return report.failure.reason if report.failure else None


# --- before there is a run ------------------------------------------------------------------------


def test_a_new_testrun_gets_the_finalizer_then_is_registered() -> None:
    assert plan(observation(), NOW) == [AddFinalizer()]
    assert plan(observed(), NOW) == [Register()]


def test_a_testrun_deleted_before_it_has_the_finalizer_is_ignored() -> None:
    deleted = a_testrun(deletionTimestamp="2026-11-24T12:00:00Z")
    assert plan(observation(testrun=deleted), NOW) == []


def test_a_rejected_testrun_gets_its_status_and_is_released() -> None:
    rejected = observed(registration=Registration.REJECTED, permanent_error=MISSING)
    assert kinds(plan(rejected, NOW)) == [PatchStatus, RecordEvent, ReleaseFinalizer]


def test_a_testrun_with_a_final_status_is_released_without_the_api() -> None:
    found = observed(
        status={"phase": "Succeeded"},
        spec={"ttlSecondsAfterFinished": 5},
        job=job(),
        api_error="gone",
    )
    assert plan(found, NOW) == [PatchJobTtl(5), ReleaseFinalizer()]


def test_the_run_of_a_job_is_fetched_once() -> None:
    assert plan(observation(testrun=None, job=job()), NOW) == [FetchRun("run-1")]
    absent = observation(testrun=None, job=job(), registration=Registration.NOT_FOUND)
    assert plan(absent, NOW) == []


def test_an_api_run_is_claimed_unless_another_cluster_has_it() -> None:
    ours = run(origin=Origin.API)
    assert plan(observation(ours, testrun=None), NOW) == [ClaimRun()]
    theirs = run(origin=Origin.API, cluster="there")
    assert plan(observation(theirs, testrun=None), NOW) == []


# --- without a Job --------------------------------------------------------------------------------


def test_a_job_is_created_only_from_a_run_that_was_just_fetched() -> None:
    assert plan(observed(our_run(), just_fetched=True), NOW) == [CreateJob()]
    assert plan(observed(our_run()), NOW) == [FetchRun("run-1")]


def test_a_run_whose_job_is_gone_gets_no_second_job() -> None:
    found = observed(our_run(job_uid="job-1"), job_uid="job-1", just_fetched=True)
    assert plan(found, NOW) == [ReadLive()]
    found = observed(our_run(job_uid="job-1"), job_uid="job-1", is_live=True)
    assert plan(found, NOW) == [CheckNamespace()]
    found = msgspec.structs.replace(found, namespace_deleted=False)
    assert failure(plan(found, NOW)) == "JobDeleted"
    found = msgspec.structs.replace(found, namespace_deleted=True)
    assert failure(plan(found, NOW)) == "NamespaceDeleted"


def test_another_job_with_the_name_is_not_the_runs_own() -> None:
    found = observed(our_run(job_uid="job-0"), job_uid="job-0", job=job(status={}), is_live=True)
    found = msgspec.structs.replace(found, namespace_deleted=False)
    assert failure(plan(found, NOW)) == "JobDeleted"


def test_a_cancelled_run_whose_job_is_gone_was_cancelled() -> None:
    found = observed(
        our_run(job_uid="job-1"), job_uid="job-1", is_live=True, spec={"cancelled": True}
    )
    assert failure(plan(found, NOW)) == "Cancelled"


def test_a_run_whose_testrun_is_gone_too_ends_after_a_live_read() -> None:
    gone = observation(our_run(job_uid="job-1"), testrun=None, job_uid="job-1")
    assert plan(gone, NOW) == [ReadLive()]
    gone = msgspec.structs.replace(gone, is_live=True, namespace_deleted=False)
    assert failure(plan(gone, NOW)) == "ObjectGone"


def test_a_testrun_missing_in_the_cache_is_read_live_before_its_run_ends() -> None:
    assert plan(observation(our_run(), testrun=None, just_fetched=True), NOW) == [ReadLive()]
    sure = observation(our_run(), testrun=None, just_fetched=True, is_live=True)
    sure = msgspec.structs.replace(sure, namespace_deleted=False)
    assert failure(plan(sure, NOW)) == "ObjectDeleted"


def test_a_job_that_can_never_be_created_ends_the_run() -> None:
    assert (
        failure(plan(observed(our_run(), just_fetched=True, permanent_error=MISSING), NOW))
        == MISSING.reason
    )


# --- with a Job -----------------------------------------------------------------------------------


def running(**more: Any) -> Observation:
    """Return the observation of a running test whose log is being collected."""
    started = our_run(Status.RUNNING, job_uid="job-1", started_at=NOW)
    given: dict[str, Any] = {
        "job": job(status={}),
        "job_uid": "job-1",
        "logs_in_progress": frozenset({"test"}),
    }
    given["pods"] = [pod("running", phase="Running")]
    return observed(started, **(given | more))


def with_current_status(found: Observation) -> Observation:
    """Return the same observation, once the planned status is written."""
    status = next(step.status for step in plan(found, NOW) if isinstance(step, PatchStatus))
    testrun = a_testrun(status, finalizers=[FINALIZER])
    return msgspec.structs.replace(found, testrun=testrun)


def test_a_running_test_with_a_current_status_needs_nothing() -> None:
    assert plan(with_current_status(running()), LATER) == []


def test_the_log_is_collected_from_the_start() -> None:
    assert CollectLog("test") in plan(running(logs_in_progress=frozenset()), NOW)


def test_a_test_is_stopped_until_the_stop_is_complete() -> None:
    spec = {"cancelled": True}
    assert StopJob(CANCELLED) in plan(running(spec=spec), NOW)
    stopped = job_object(status={})
    stopped["metadata"]["annotations"] = {STOP: encode_stop_reason(CANCELLED)}
    noted = running(spec=spec, job=parse_job(stopped))
    assert StopJob(CANCELLED) in plan(noted, NOW), "the pod is not being ended yet"
    ending = pod("running", spec={"activeDeadlineSeconds": 1}, phase="Running")
    complete = msgspec.structs.replace(noted, pods=[ending])
    assert not any(isinstance(step, StopJob) for step in plan(complete, NOW))


def test_a_test_without_its_testrun_is_stopped_after_a_live_read() -> None:
    assert ReadLive() in plan(_without_testrun(is_live=False), NOW)
    stops = [
        step for step in plan(_without_testrun(is_live=True), NOW) if isinstance(step, StopJob)
    ]
    assert [stop.failure.reason for stop in stops] == ["ObjectDeleted"]


def _without_testrun(*, is_live: bool) -> Observation:
    return msgspec.structs.replace(running(), testrun=None, is_live=is_live)


def test_the_events_of_a_job_without_a_pod_are_read_after_20_seconds() -> None:
    waiting = job(status={"startTime": NOW.strftime(TEXT)})
    found = observed(our_run(job_uid="job-1"), job=waiting, job_uid="job-1")
    at = NOW + timedelta(seconds=20)
    assert RequeueAt(at) in plan(found, NOW)
    assert ReadEvents() in plan(found, at)


def test_a_pod_on_a_lost_node_is_given_up_after_a_timeout() -> None:
    lost = pod("running", metadata={"deletionTimestamp": NOW.isoformat()}, phase="Running")
    found = msgspec.structs.replace(with_current_status(running()), pods=[lost])
    assert plan(found, NOW) == [RequeueAt(NOW + LOST_AFTER)]
    assert plan(found, NOW + LOST_AFTER) == [ReadLive()]


def test_an_end_known_only_from_the_cached_job_is_read_live_first() -> None:
    ended = observed(our_run(Status.RUNNING, job_uid="job-1"), job=job(), job_uid="job-1")
    assert plan(ended, NOW) == [ReadLive()]


def test_a_report_is_not_sent_twice() -> None:
    report = RunReport(status=Status.RUNNING, job_uid="job-1", started_at=NOW)
    behind = msgspec.structs.replace(running(), run=our_run(Status.PENDING, job_uid="job-1"))
    assert ReportRun(report) in plan(behind, NOW)
    sent = msgspec.structs.replace(behind, last_report=report)
    assert ReportRun(report) not in plan(sent, NOW)


# --- the API, and the end -------------------------------------------------------------------------


def test_while_the_api_is_down_only_steps_that_need_it_wait() -> None:
    found = running(
        spec={"cancelled": True}, logs_in_progress=frozenset(), api_error="gone", api_down_since=NOW
    )
    steps = plan(found, NOW)
    assert kinds(steps)[:2] == [StopJob, CollectLog]
    assert DeferUntilApiUp() not in steps
    assert kinds(plan(observed(our_run(), api_error="gone", api_down_since=NOW), NOW)) == [
        DeferUntilApiUp,
        RequeueAt,
    ]


@pytest.mark.parametrize("log_in_progress", [True, False])
def test_a_run_that_waits_for_its_log_waits_for_the_api(log_in_progress: bool) -> None:
    found = running(
        job=job(),
        pods=[pod("terminated")],
        logs_in_progress=frozenset({"test"} if log_in_progress else ()),
        api_error="gone",
        api_down_since=NOW,
    )
    waiting = [DeferUntilApiUp, PatchStatus, RecordEvent]
    assert kinds(plan(found, LATER)) == ([] if log_in_progress else [CollectLog]) + waiting


def test_a_run_to_be_verified_is_fetched_before_anything_else() -> None:
    finished = observation(
        None, {"phase": "Succeeded", "runId": "run-1"}, job=job(), verify_exists=True
    )
    assert plan(finished, NOW) == [FetchRun("run-1")]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (observation(None, {"phase": "Succeeded"}), True),
        (observed(status={"phase": "Succeeded"}), False),
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
        "status is final",
        "has finalizer",
        "status is not final",
        "nothing there",
        "run not ended",
        "Job without TTL",
        "Job with TTL",
        "Job of a deleted run",
        "to be verified",
    ],
)
def test_a_run_is_done_when_nothing_is_left_to_do(found: Observation, wanted: bool) -> None:
    assert is_done(found) is wanted
