"""What is left to do for a run that ends, has ended or was deleted."""

from typing import Any

import pytest

from sparktest.controller import cleanup
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.steps import (
    DeleteJob,
    FollowLog,
    PatchJobTtl,
    PatchStatus,
    ReadLive,
    ReleaseFinalizer,
    ReportRun,
    Step,
)
from sparktest.domain import FailureClass, Log, LogState, Origin, Run, RunReport, Status
from sparktest.kube.jobs import FINALIZER
from sparktest.kube.outcome import make_failure
from tests.controller.objects import NOW, REF, job, observation, pod, run

EVICTED = make_failure(FailureClass.INFRA, "Evicted", "low on memory")
PASSED = RunReport(status=Status.SUCCEEDED, started_at=NOW, finished_at=NOW)


def ended(**fields: Any) -> Run:
    return run(Status.SUCCEEDED, k8s_ref=REF, finished_at=NOW, **fields)


def final(found: Observation) -> list[Step]:
    assert found.run is not None
    steps = cleanup.final(found, found.run, NOW)
    return [step for step in steps if not isinstance(step, PatchStatus)]


def closed(found: Observation, report: RunReport = PASSED) -> list[Step]:
    assert found.run is not None
    return list(cleanup.close(found, found.run, report))


# --- the log comes before the end ----------------------------------------------------------------


def test_an_end_is_not_reported_while_the_log_is_being_stored() -> None:
    assert closed(observation(run(), following=True)) == []


def test_a_log_that_nobody_has_begun_to_store_is_stored_first() -> None:
    assert closed(observation(run(), job=job(), pods=[pod("terminated")])) == [FollowLog()]


def test_an_end_is_reported_with_what_is_stored_of_the_log() -> None:
    stored = Log(state=LogState.COMPLETE, bytes=7)
    (step,) = closed(observation(run(), job=job(), pods=[pod("terminated")], log=stored))
    assert isinstance(step, ReportRun)
    assert step.report == RunReport(
        status=Status.SUCCEEDED, started_at=NOW, finished_at=NOW, log=stored
    )


@pytest.mark.parametrize(
    ("found", "report", "wanted"),
    [
        (run(), cleanup.ended(EVICTED, NOW), Log(state=LogState.NONE, reason="NotStarted")),
        (run(), PASSED, Log(state=LogState.NONE, reason="PodDeleted")),
        (
            run(log=Log(bytes=5)),
            cleanup.ended(EVICTED, NOW),
            Log(state=LogState.PARTIAL, reason="Evicted", bytes=5),
        ),
        (
            run(log=Log(bytes=5)),
            PASSED,
            Log(state=LogState.PARTIAL, reason="PodDeleted", bytes=5),
        ),
    ],
    ids=["never started", "its pod is gone", "a part is stored", "a part, and it passed"],
)
def test_where_there_is_no_log_to_read_the_run_says_so(
    found: Run, report: RunReport, wanted: Log
) -> None:
    (step,) = closed(observation(found), report)
    assert isinstance(step, ReportRun)
    assert step.report.log == wanted


# --- after the final report ----------------------------------------------------------------------


def test_the_job_gets_the_ttl_that_the_testrun_asks_for() -> None:
    found = observation(ended(ttl_seconds_after_finished=60), job=job())
    assert final(found) == [PatchJobTtl(60)]


def test_a_testrun_without_a_ttl_keeps_its_job() -> None:
    assert final(observation(ended(), job=job())) == []


def test_the_job_of_an_api_run_gets_the_ttl_of_the_settings() -> None:
    of_api = run(Status.SUCCEEDED, origin=Origin.API, finished_at=NOW)
    assert final(observation(of_api, job=job(), testrun=None, api_ttl_seconds=9)) == [
        PatchJobTtl(9)
    ]


def test_a_job_that_has_a_ttl_is_left_alone() -> None:
    of_api = run(Status.SUCCEEDED, origin=Origin.API, finished_at=NOW)
    there = job(ttlSecondsAfterFinished=0)
    assert final(observation(of_api, job=there, testrun=None)) == []


def test_a_suspended_job_is_removed_for_no_ttl_ever_takes_it() -> None:
    found = observation(ended(ttl_seconds_after_finished=60), job=job(status={}, suspend=True))
    assert final(found) == [DeleteJob()]


@pytest.mark.parametrize("suspended", [True, False])
def test_a_job_of_somebody_else_is_neither_removed_nor_given_a_ttl(suspended: bool) -> None:
    theirs = job(status={}, owner=[{"uid": "other", "controller": True}], suspend=suspended)
    assert final(observation(ended(ttl_seconds_after_finished=60), job=theirs)) == []
    theirs["metadata"]["labels"] = {}
    of_api = run(Status.FAILED, origin=Origin.API, finished_at=NOW)
    assert final(observation(of_api, job=theirs, testrun=None)) == []
    assert list(cleanup.ttl(observation(None, job=theirs))) == []


def test_a_testrun_with_a_ttl_whose_run_is_not_known_any_more_still_gets_it() -> None:
    found = observation(None, job=job())
    assert found.testrun is not None
    found.testrun["spec"]["ttlSecondsAfterFinished"] = 60
    assert list(cleanup.ttl(found)) == [PatchJobTtl(60)]


def test_a_pod_that_goes_on_beside_a_test_that_has_ended_is_removed_once_that_is_certain() -> None:
    beside = pod("terminated", phase="Running")
    beside["status"]["containerStatuses"].append({"name": "mesh", "state": {"running": {}}})
    assert final(observation(ended(), job=job(status={}), pods=[beside])) == [ReadLive()]
    assert final(observation(ended(), job=job(status={}), pods=[beside], live=True)) == [
        DeleteJob()
    ]
    beside["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert final(observation(ended(), job=job(status={}), pods=[beside], live=True)) == []


def test_a_testrun_is_let_go_last() -> None:
    found = observation(ended(ttl_seconds_after_finished=60), job=job())
    assert found.testrun is not None
    found.testrun["metadata"]["finalizers"] = ["theirs", FINALIZER]
    assert final(found) == [PatchJobTtl(60), ReleaseFinalizer()]


# --- deleted in the API --------------------------------------------------------------------------


def test_of_a_run_that_was_deleted_the_job_goes_and_the_testrun_stays() -> None:
    found = observation(None, {"phase": "Succeeded"}, job=job(), registration=Registration.DELETED)
    assert list(cleanup.deleted(found, NOW)) == [DeleteJob()]


def test_a_job_that_is_no_runs_is_not_removed_with_a_deleted_run() -> None:
    theirs = job()
    theirs["metadata"]["labels"] = {}
    found = observation(None, {"phase": "Succeeded"}, job=theirs, registration=Registration.DELETED)
    assert list(cleanup.deleted(found, NOW)) == []
