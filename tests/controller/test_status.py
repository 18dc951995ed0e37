"""The status of a TestRun, and when it is written."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller import status as status_module
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.status import needs_attention, update_status
from sparktest.controller.steps import PatchStatus, RecordEvent, RequeueAt, Step
from sparktest.domain import Origin, Run, Status
from sparktest.times import format_time
from tests.controller.objects import EXIT_3, LATER, MISSING, NOW, observation, run
from tests.controller.statuses import conditions, status_of


def test_a_waiting_run_has_its_reason() -> None:
    waiting = run(status_reason="Unschedulable", status_message="no node fits")
    status = status_of(observation(waiting), NOW)
    del status["conditions"]
    assert status == {
        "phase": "Pending",
        "runId": "run-1",
        "jobName": "testrun-smoke-1",
        "observedGeneration": 3,
        "reason": "Unschedulable",
        "message": "no node fits",
    }


def test_a_finished_run_has_its_times_duration_and_failure() -> None:
    ended = run(
        Status.FAILED, started_at=NOW, finished_at=NOW + timedelta(seconds=72), failure=EXIT_3
    )
    status = status_of(observation(ended), LATER)
    del status["conditions"]
    assert status == {
        "phase": "Failed",
        "runId": "run-1",
        "jobName": "testrun-smoke-1",
        "observedGeneration": 3,
        "reason": "Error",
        "startedAt": "2026-11-24T12:00:00Z",
        "finishedAt": "2026-11-24T12:01:12Z",
        "duration": "1m12s",
        "failure": {"class": "test", "reason": "Error", "message": "exit code 3", "exitCode": 3},
    }


@pytest.mark.parametrize(
    ("ended", "wanted"),
    [
        (run(Status.SUCCEEDED), ("True", "Succeeded", "Succeeded", "True")),
        (run(Status.FAILED, failure=EXIT_3), ("True", "Failed", "Error", "False")),
        (run(Status.TIMED_OUT), ("True", "TimedOut", "TimedOut", "False")),
        (run(Status.CANCELLED), ("True", "Cancelled", "Cancelled", "False")),
    ],
    ids=["succeeded", "failed", "timed out", "cancelled"],
)
def test_every_finished_run_has_finished_and_only_a_passed_one_has_succeeded(
    ended: Run, wanted: tuple[str, ...]
) -> None:
    found = conditions(status_of(observation(ended), NOW))
    assert (*found["Finished"][:2], found["Succeeded"][1], found["Succeeded"][0]) == wanted


def test_a_run_that_never_started_has_no_duration() -> None:
    ended = run(Status.CANCELLED, finished_at=LATER)
    status = status_of(observation(ended), LATER)
    assert status["duration"] == "0s"
    assert "startedAt" not in status


def test_a_run_without_an_end_time_keeps_the_time_that_was_written_first() -> None:
    ended = run(Status.CANCELLED)
    first = status_of(observation(ended), NOW)
    assert first["finishedAt"] == format_time(NOW)
    assert status_of(observation(ended, first), LATER) == first


def test_the_time_of_a_condition_changes_only_with_its_status() -> None:
    waiting = status_of(observation(run(status_reason="Unschedulable")), NOW)
    pulling = status_of(observation(run(status_reason="ImagePullBackOff"), waiting), LATER)
    assert conditions(pulling)["Finished"] == ("False", "ImagePullBackOff", format_time(NOW))
    assert conditions(pulling)["Registered"][2] == format_time(NOW)
    ended = status_of(observation(run(Status.SUCCEEDED), pulling), LATER)
    assert conditions(ended)["Finished"] == ("True", "Succeeded", format_time(LATER))
    assert conditions(ended)["Registered"][2] == format_time(NOW)


def test_conditions_of_other_controllers_are_kept() -> None:
    theirs = {"type": "Audited", "status": "True", "reason": "Audited"}
    status = status_of(observation(run(), {"conditions": [theirs]}), NOW)
    assert theirs in status["conditions"]
    assert len(status["conditions"]) == 3


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        (
            {"registration": Registration.REJECTED, "permanent_error": MISSING},
            "DefinitionNotFound",
            "no such definition",
        ),
        ({"registration": Registration.DELETED}, "ObjectGone", "its run was deleted in SparkTest"),
    ],
    ids=["rejected", "deleted"],
)
def test_a_testrun_without_a_run_has_failed(
    fields: dict[str, Any], reason: str, message: str
) -> None:
    status = status_of(observation(**fields), NOW)
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert (status["failure"]["reason"], status["failure"]["message"]) == (reason, message)
    assert {kind: entry[:2] for kind, entry in conditions(status).items()} == {
        "Registered": ("False", reason),
        "Finished": ("True", "Failed"),
        "Succeeded": ("False", reason),
    }
    assert "runId" not in status


@pytest.mark.parametrize(
    "found",
    [
        observation(run(Status.FAILED, failure=MISSING)),
        observation(registration=Registration.REJECTED, permanent_error=MISSING),
        observation(run(status_reason="Waits", status_message=MISSING.message)),
    ],
    ids=["failed", "rejected", "waits"],
)
def test_a_message_is_in_the_status_once_and_once_in_its_event(found: Observation) -> None:
    written, event = updates(found)
    assert isinstance(written, PatchStatus)
    assert repr(written.status).count(MISSING.message) == 1
    assert isinstance(event, RecordEvent)
    assert event.message == MISSING.message


def test_a_status_has_only_fields_of_the_schema() -> None:
    allowed = {
        "phase",
        "runId",
        "jobName",
        "observedGeneration",
        "reason",
        "message",
        "startedAt",
        "finishedAt",
        "duration",
        "failure",
        "conditions",
    }
    for found in (run(Status.FAILED, failure=EXIT_3, started_at=NOW), run(status_reason="x")):
        assert set(status_of(observation(found), NOW)) <= allowed


# --- what needs attention -------------------------------------------------------------------------


@pytest.mark.parametrize(
    (("found", "expected")),
    [
        (observation(run(Status.SUCCEEDED)), False),
        (observation(run(Status.FAILED, failure=EXIT_3)), False),
        (observation(run(Status.FAILED, failure=MISSING)), True),
        (observation(run()), False),
        (observation(run(status_reason="Unschedulable")), True),
        (observation(run(status_reason="Init:CrashLoopBackOff")), True),
        (observation(run(status_reason="Init:0/1")), False),
        (observation(registration=Registration.DELETED), True),
    ],
    ids=[
        "passed",
        "test failed",
        "config",
        "just pending",
        "waits",
        "init container crashes",
        "init container runs",
        "deleted",
    ],
)
def test_waits_and_unexpected_failures_need_attention(found: Observation, expected: bool) -> None:
    assert needs_attention(status_of(found, NOW)) is expected


# --- when it is written ---------------------------------------------------------------------------


def updates(found: Observation, now: Any = LATER) -> list[Step]:
    return list(update_status(found, now))


def test_a_run_that_just_began_is_not_written_yet() -> None:
    soon = NOW + status_module.PENDING_STATUS_DELAY
    assert updates(observation(run()), NOW) == [RequeueAt(soon)]
    assert [type(step) for step in updates(observation(run()), soon)] == [PatchStatus]


def test_a_waiting_reason_is_written_at_once() -> None:
    waiting = observation(run(status_reason="Unschedulable", status_message="no node fits"))
    patch, emit = updates(waiting, NOW)
    assert isinstance(patch, PatchStatus)
    assert emit == RecordEvent("Unschedulable", "no node fits")


def test_an_unchanged_status_is_not_written_again() -> None:
    running = run(Status.RUNNING, started_at=NOW)
    status = status_of(observation(running), NOW)
    assert updates(observation(running, status)) == []


def test_fields_that_an_older_crd_drops_are_written_once() -> None:
    running = run(Status.RUNNING, started_at=NOW)
    whole = status_of(observation(running), NOW)
    kept = {"phase": whole["phase"], "conditions": whole["conditions"]}
    assert updates(observation(running, kept)) == [PatchStatus(whole)]
    assert updates(observation(running, kept, last_status=whole)) == []


def test_a_failed_test_records_no_event() -> None:
    failed = observation(run(Status.FAILED, failure=EXIT_3, finished_at=NOW))
    assert [type(step) for step in updates(failed)] == [PatchStatus]


def test_the_same_reason_records_no_second_event() -> None:
    failed = run(Status.FAILED, failure=MISSING, finished_at=NOW)
    old = {"reason": MISSING.reason, "phase": "Pending"}
    assert [type(step) for step in updates(observation(failed, old))] == [PatchStatus]


def test_api_runs_and_runs_without_a_testrun_have_no_status() -> None:
    assert updates(observation(run(Status.RUNNING, origin=Origin.API))) == []
    assert updates(observation(run(Status.RUNNING), testrun=None)) == []


def test_a_rejected_testrun_gets_a_status_and_an_event() -> None:
    rejected = observation(registration=Registration.REJECTED, permanent_error=MISSING)
    patch, emit = updates(rejected)
    assert isinstance(patch, PatchStatus)
    assert emit == RecordEvent("DefinitionNotFound", "no such definition")
