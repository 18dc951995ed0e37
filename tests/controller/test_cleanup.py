"""The last steps of a run that ends, has ended or was deleted."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sparktest.controller import cleanup
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.status import build_status
from sparktest.controller.steps import (
    CollectLog,
    DeleteJob,
    PatchJobTtl,
    PatchStatus,
    ReadEvents,
    ReadLive,
    ReleaseFinalizer,
    ReportRun,
    RequeueAt,
    Step,
    WaitForLog,
)
from sparktest.domain import Failure, FailureClass, Log, LogState, Origin, Run, RunReport, Status
from sparktest.kube.jobs import FINALIZER
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.probe_failures import EVENTS_SECONDS
from sparktest.kube.views import EventView, parse_job
from tests.controller.objects import (
    LATER,
    NOW,
    REF,
    a_testrun,
    job,
    job_object,
    observation,
    pod,
    run,
)

EVICTED = Failure(FailureClass.INFRA, "Evicted", "low on memory")
PASSED = RunReport(status=Status.SUCCEEDED, started_at=NOW, finished_at=NOW)


def ended(**fields: Any) -> Run:
    return run(Status.SUCCEEDED, k8s_ref=REF, finished_at=NOW, **fields)


def final(found: Observation) -> list[Step]:
    steps = cleanup.finish(found, NOW)
    return [step for step in steps if not isinstance(step, PatchStatus)]


def closed(found: Observation, report: RunReport = PASSED) -> list[Step]:
    assert found.run is not None
    return list(cleanup.report_end(found, found.run, report))


# --- the end that only the status of the TestRun has ---------------------------------------------

ENDS = {
    Status.SUCCEEDED: None,
    Status.FAILED: EVICTED,
    Status.TIMED_OUT: Failure(FailureClass.TIMEOUT, "DeadlineExceeded", "after 60 s"),
    Status.CANCELLED: Failure(FailureClass.CANCELLED, "Cancelled", "by a user", 143, "test"),
}


@pytest.mark.parametrize(("status", "failure"), ENDS.items())
def test_the_end_in_the_status_is_reported_as_it_was(status: Status, failure: Failure) -> None:
    before = run(status, started_at=NOW, finished_at=NOW, failure=failure)
    written = build_status(observation(before), a_testrun(), NOW)
    found = observation(run(), written, is_live=True)

    (step,) = cleanup.report_again(found, run(), LATER)

    log = Log(state=LogState.NONE, reason="PodDeleted")
    assert step == ReportRun(
        RunReport(status=status, started_at=NOW, finished_at=NOW, failure=failure, log=log)
    )


def test_a_run_that_may_have_been_read_before_its_end_is_read_again() -> None:
    found = observation(run(), {"phase": "Succeeded"})
    assert list(cleanup.report_again(found, run(), NOW)) == [ReadLive()]


# --- the log comes before the end ----------------------------------------------------------------


def test_an_end_is_not_reported_while_the_log_is_in_progress() -> None:
    assert closed(observation(run(), logs_in_progress=frozenset({"test"}))) == [WaitForLog()]


def test_the_log_is_stored_before_the_end_is_reported() -> None:
    steps = closed(observation(run(), job=job(), pods=[pod("terminated")]))
    assert steps == [CollectLog("test"), WaitForLog()]


def test_an_end_is_reported_with_the_state_of_the_log() -> None:
    stored = Log(state=LogState.COMPLETE, bytes=7)
    (step,) = closed(
        observation(run(), job=job(), pods=[pod("terminated")], logs={"test": CollectedLog(stored)})
    )
    assert isinstance(step, ReportRun)
    assert step.report == RunReport(
        status=Status.SUCCEEDED, started_at=NOW, finished_at=NOW, log=stored
    )


@pytest.mark.parametrize(
    ("found", "report", "wanted"),
    [
        (run(), cleanup.failed_report(EVICTED, NOW), Log(state=LogState.NONE, reason="NotStarted")),
        (run(), PASSED, Log(state=LogState.NONE, reason="PodDeleted")),
        (
            run(log=Log(bytes=5)),
            cleanup.failed_report(EVICTED, NOW),
            Log(state=LogState.PARTIAL, reason="Evicted", bytes=5),
        ),
        (run(log=Log(bytes=5)), PASSED, Log(state=LogState.PARTIAL, reason="PodDeleted", bytes=5)),
    ],
    ids=["never started", "pod is gone", "partly stored", "partly stored, passed"],
)
def test_the_report_of_a_run_without_a_log_has_the_reason(
    found: Run, report: RunReport, wanted: Log
) -> None:
    (step,) = closed(observation(found), report)
    assert isinstance(step, ReportRun)
    assert step.report.log == wanted


# --- the Events of the pod come before the end ---------------------------------------------------

PROBED = {"spec": {"containers": [{"name": "test", "startupProbe": {"exec": {}}}]}}
EVENTS_AT = NOW + timedelta(seconds=EVENTS_SECONDS)
KILLED = [
    EventView("Unhealthy", "Startup probe failed: no", NOW, "spec.containers{test}"),
    EventView("Killing", "Stopping container test", NOW, "spec.containers{test}"),
]


def outcome_steps(now: datetime, **fields: Any) -> list[Step]:
    """Return the steps at the end of a test with a probe, first seen at NOW."""
    given: dict[str, Any] = {"logs": {"test": CollectedLog(Log(state=LogState.COMPLETE))}}
    given |= {"job": job(), "pods": [pod("terminated")], "end_seen_at": NOW}
    found = run(template=PROBED)
    return list(cleanup.report_outcome(observation(found, **given | fields), found, PASSED, now))


def test_the_events_of_a_test_with_a_probe_are_read_some_seconds_after_its_end() -> None:
    assert outcome_steps(NOW) == [RequeueAt(EVENTS_AT)]
    assert outcome_steps(EVENTS_AT) == [ReadEvents()]


def test_the_log_is_read_meanwhile() -> None:
    assert outcome_steps(NOW, logs={}) == [CollectLog("test"), RequeueAt(EVENTS_AT)]


@pytest.mark.parametrize(("events", "status"), [([], Status.SUCCEEDED), (KILLED, Status.FAILED)])
def test_the_events_decide_and_without_them_the_exit_code(
    events: list[EventView], status: Status
) -> None:
    (step,) = outcome_steps(EVENTS_AT, end_events=events)
    assert isinstance(step, ReportRun)
    assert step.report.status is status


def test_the_events_are_known_when_the_pod_is_gone() -> None:
    (step,) = outcome_steps(EVENTS_AT, pods=[], end_seen_at=None, end_events=KILLED)
    assert isinstance(step, ReportRun)
    assert step.report.status is Status.FAILED


# --- after the final report ----------------------------------------------------------------------


def test_the_job_gets_the_ttl_of_the_run() -> None:
    found = observation(ended(ttl_seconds_after_finished=60), job=job())
    assert final(found) == [PatchJobTtl(60)]


def test_a_testrun_without_a_ttl_keeps_its_job() -> None:
    assert final(observation(ended(), job=job())) == []


def test_the_job_of_an_api_run_gets_the_ttl_of_the_settings() -> None:
    of_api = run(Status.SUCCEEDED, origin=Origin.API, finished_at=NOW)
    assert final(observation(of_api, job=job(), testrun=None, api_run_ttl_seconds=9)) == [
        PatchJobTtl(9)
    ]


def test_a_job_that_has_a_ttl_is_not_patched() -> None:
    of_api = run(Status.SUCCEEDED, origin=Origin.API, finished_at=NOW)
    there = job(ttlSecondsAfterFinished=0)
    assert final(observation(of_api, job=there, testrun=None)) == []


def test_a_suspended_job_is_deleted_because_a_ttl_never_deletes_it() -> None:
    found = observation(ended(ttl_seconds_after_finished=60), job=job(status={}, suspend=True))
    assert final(found) == [DeleteJob()]


@pytest.mark.parametrize("suspended", [True, False])
def test_a_foreign_job_is_neither_deleted_nor_given_a_ttl(suspended: bool) -> None:
    theirs = job_object(status={}, owner=[{"uid": "other", "controller": True}], suspend=suspended)
    foreign = parse_job(theirs)
    assert final(observation(ended(ttl_seconds_after_finished=60), job=foreign)) == []
    theirs["metadata"]["labels"] = {}
    of_api = run(Status.FAILED, origin=Origin.API, finished_at=NOW)
    assert final(observation(of_api, job=parse_job(theirs), testrun=None)) == []


@pytest.mark.parametrize("owner", [None, [], [{"uid": "other", "controller": True}]])
def test_a_foreign_job_gets_no_ttl_from_a_testrun_whose_run_is_unknown(owner: Any) -> None:
    testrun = a_testrun(spec={"ttlSecondsAfterFinished": 60})
    foreign = job(owner=owner)
    assert list(cleanup.set_ttl(observation(testrun=testrun, job=foreign))) == []


def test_the_job_gets_the_ttl_of_a_testrun_whose_run_is_unknown() -> None:
    testrun = a_testrun(spec={"ttlSecondsAfterFinished": 60})
    assert list(cleanup.set_ttl(observation(testrun=testrun, job=job()))) == [PatchJobTtl(60)]


def test_a_sidecar_that_outlives_the_test_is_deleted_with_the_job_after_a_live_read() -> None:
    unfinished = job(status={})
    sidecar = [
        {"name": "test", "state": {"terminated": {}}},
        {"name": "mesh", "state": {"running": {}}},
    ]
    beside = pod("terminated", phase="Running", containerStatuses=sidecar)
    assert final(observation(ended(), job=unfinished, pods=[beside])) == [ReadLive()]
    live = observation(ended(), job=unfinished, pods=[beside], is_live=True)
    assert final(live) == [DeleteJob()]
    deleting = pod(
        "terminated",
        metadata={"deletionTimestamp": NOW.isoformat()},
        phase="Running",
        containerStatuses=sidecar,
    )
    assert final(observation(ended(), job=unfinished, pods=[deleting], is_live=True)) == []


def test_the_finalizer_is_released_last() -> None:
    testrun = a_testrun(finalizers=["theirs", FINALIZER])
    found = observation(ended(ttl_seconds_after_finished=60), job=job(), testrun=testrun)
    assert final(found) == [PatchJobTtl(60), ReleaseFinalizer()]


# --- deleted in the API --------------------------------------------------------------------------


def test_a_deleted_run_loses_its_job_and_keeps_its_testrun() -> None:
    found = observation(None, {"phase": "Succeeded"}, job=job(), registration=Registration.DELETED)
    assert list(cleanup.clean_up_deleted_run(found, NOW)) == [DeleteJob()]


def test_a_job_without_a_run_is_not_deleted_with_a_deleted_run() -> None:
    theirs = job_object()
    theirs["metadata"]["labels"] = {}
    found = observation(
        None, {"phase": "Succeeded"}, job=parse_job(theirs), registration=Registration.DELETED
    )
    assert list(cleanup.clean_up_deleted_run(found, NOW)) == []
