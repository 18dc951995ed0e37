"""The own Job and pods of an observed run, its id, requested stop and TTL."""

from typing import Any

import pytest

from sparktest.controller.observation import belongs_to, name_conflict
from sparktest.domain import Origin, Run, Status
from sparktest.kube.jobs import FINALIZER
from sparktest.kube.views import parse_job
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

OTHER_OWNER = [{"uid": "other", "controller": True}]


def reason(found: Any) -> str | None:
    return found.reason if found else None


# --- the Job -------------------------------------------------------------------------------------


def test_the_job_of_a_testrun_belongs_to_its_owner() -> None:
    of_testrun = run(k8s_ref=REF)
    assert belongs_to(job(), of_testrun)
    assert not belongs_to(job(owner=OTHER_OWNER), of_testrun)
    assert not belongs_to(job(owner=None), of_testrun)


def test_the_job_of_an_api_run_belongs_to_the_run_in_its_label() -> None:
    assert belongs_to(job(owner=None), run(origin=Origin.API))
    assert not belongs_to(job(owner=None), run(origin=Origin.API, id="run-2"))


def test_the_own_job_is_found_by_its_uid_once_that_is_known() -> None:
    found = run(k8s_ref=REF)
    assert observation(found, job=job()).own_job == job()
    assert observation(found, job=job(), job_uid="job-1").own_job == job()
    assert observation(found, job=job(), job_uid="job-0").own_job is None
    assert observation(None, job=job()).own_job is None


def test_pods_of_another_job_do_not_count() -> None:
    own = pod("running")
    theirs = pod("running", metadata={"ownerReferences": OTHER_OWNER})
    found = observation(run(k8s_ref=REF), job=job(), pods=[theirs, own])
    assert found.own_pods == [own]
    assert found.pod == own


def test_a_name_conflict_names_the_job() -> None:
    failure = name_conflict(("tests", "j"))
    assert failure.reason == "NameConflict"
    assert "tests/j" in failure.message


# --- the run -------------------------------------------------------------------------------------


def test_the_run_id_comes_from_the_run_the_status_or_the_job() -> None:
    assert observation(run(id="run-7"), job=job()).run_id == "run-7"
    assert observation(None, {"runId": "run-8"}, job=job()).run_id == "run-8"
    assert observation(None, testrun=None, job=job()).run_id == "run-1"
    unlabelled = job_object()
    unlabelled["metadata"]["labels"] = None
    assert observation(None, job=parse_job(unlabelled)).run_id is None


def test_only_the_run_of_a_testrun_can_lack_its_testrun() -> None:
    assert observation(run(), testrun=None).testrun_missing
    assert not observation(run()).testrun_missing
    assert not observation(run(origin=Origin.API), testrun=None).testrun_missing


@pytest.mark.parametrize(
    ("found", "fields", "expected"),
    [
        (run(), {}, None),
        (run(), {"testrun": a_testrun(deletionTimestamp="x")}, "ObjectDeleted"),
        (run(), {"testrun": a_testrun(spec={"cancelled": True})}, "Cancelled"),
        (run(cancel_requested_at=LATER), {}, "Cancelled"),
        (run(), {"testrun": None}, None),
        (run(), {"testrun": None, "is_live": True}, "ObjectDeleted"),
    ],
    ids=["none", "deleted", "spec.cancelled", "in the API", "not cached", "does not exist"],
)
def test_a_stop_is_requested_by_a_delete_or_a_cancel(
    found: Run, fields: dict[str, Any], expected: str | None
) -> None:
    assert reason(observation(found, **fields).requested_stop) == expected


@pytest.mark.parametrize(
    ("found", "ttl_seconds"),
    [
        (run(Status.FAILED, ttl_seconds_after_finished=5), 5),
        (run(Status.FAILED), None),
        (run(Status.FAILED, origin=Origin.API), 3600),
        (run(Status.FAILED, origin=Origin.API, ttl_seconds_after_finished=0), 0),
        (None, 7),
    ],
    ids=["run", "TestRun without", "settings", "zero", "TestRun"],
)
def test_the_ttl_comes_from_the_run_the_testrun_or_the_settings(
    found: Run | None, ttl_seconds: int | None
) -> None:
    testrun = a_testrun(spec={"ttlSecondsAfterFinished": 7})
    assert observation(found, testrun=testrun).ttl_seconds == ttl_seconds


def test_an_observation_has_the_state_of_its_testrun() -> None:
    testrun = a_testrun(
        {"phase": "Failed"}, finalizers=[FINALIZER], deletionTimestamp=NOW.isoformat()
    )
    found = observation(testrun=testrun)
    assert found.has_finalizer
    assert found.is_deleting
    assert found.status_is_final
    absent = observation(testrun=None)
    assert not absent.has_finalizer
    assert not absent.is_deleting
    assert not absent.status_is_final
