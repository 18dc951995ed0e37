"""What a TestRun says of itself, made from what is recorded."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sparktest.controller import conditions
from sparktest.controller.conditions import (
    api_down_status,
    duration,
    needs_attention,
    rfc3339,
    status_of,
)
from sparktest.controller.observation import Observation, Registration
from sparktest.domain import Run, Status
from tests.controller.objects import EXIT_3, LATER, MISSING, NOW, observation, run


def said(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Status, reason and time of each condition, by type."""
    return {
        entry["type"]: (entry["status"], entry["reason"], entry["lastTransitionTime"])
        for entry in status["conditions"]
    }


def test_a_run_that_waits_says_for_what() -> None:
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


def test_a_run_that_has_ended_says_when_how_long_and_why() -> None:
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
        "message": "exit code 3",
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
def test_every_end_is_finished_and_only_a_pass_has_succeeded(
    ended: Run, wanted: tuple[str, ...]
) -> None:
    found = said(status_of(observation(ended), NOW))
    assert (*found["Finished"][:2], found["Succeeded"][1], found["Succeeded"][0]) == wanted


def test_a_run_that_never_started_lasted_no_time() -> None:
    ended = run(Status.CANCELLED, finished_at=LATER)
    status = status_of(observation(ended), LATER)
    assert status["duration"] == "0s"
    assert "startedAt" not in status


def test_an_end_that_the_api_puts_no_time_on_keeps_the_time_that_was_said_first() -> None:
    ended = run(Status.CANCELLED)
    first = status_of(observation(ended), NOW)
    assert first["finishedAt"] == rfc3339(NOW)
    assert status_of(observation(ended, first), LATER) == first


def test_the_time_of_a_condition_moves_only_with_its_status() -> None:
    waiting = status_of(observation(run(status_reason="Unschedulable")), NOW)
    pulling = status_of(observation(run(status_reason="ImagePullBackOff"), waiting), LATER)
    assert said(pulling)["Finished"] == ("False", "ImagePullBackOff", rfc3339(NOW))
    assert said(pulling)["Registered"][2] == rfc3339(NOW)
    ended = status_of(observation(run(Status.SUCCEEDED), pulling), LATER)
    assert said(ended)["Finished"] == ("True", "Succeeded", rfc3339(LATER))
    assert said(ended)["Registered"][2] == rfc3339(NOW)


def test_conditions_of_others_stay() -> None:
    theirs = {"type": "Audited", "status": "True", "reason": "Somebody"}
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
        ({"registration": Registration.REJECTED}, "Refused", None),
        ({"registration": Registration.DELETED}, "ObjectGone", "its run was deleted in SparkTest"),
    ],
    ids=["refused", "refused without a word", "deleted"],
)
def test_a_testrun_that_never_had_a_run_or_lost_it_has_failed(
    fields: dict[str, Any], reason: str, message: str | None
) -> None:
    status = status_of(observation(**fields), NOW)
    assert (status["phase"], status["reason"], status.get("message")) == ("Failed", reason, message)
    assert status["failure"]["reason"] == reason
    assert {kind: entry[:2] for kind, entry in said(status).items()} == {
        "Registered": ("False", reason),
        "Finished": ("True", "Failed"),
        "Succeeded": ("False", reason),
    }
    assert "runId" not in status


def test_what_is_said_is_accepted_by_the_schema_of_the_resource() -> None:
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


# --- while the API is away -----------------------------------------------------------------------


def test_a_testrun_that_waits_for_the_api_says_so() -> None:
    status = api_down_status(observation(api_error="connection refused"), NOW)
    assert (status["phase"], status["reason"]) == ("Pending", "BackendUnavailable")
    assert status["message"].endswith("this TestRun waits for it: connection refused")
    assert said(status)["Registered"][:2] == ("False", "BackendUnavailable")
    assert said(status)["Finished"][:2] == ("False", "BackendUnavailable")


def test_what_was_said_before_the_api_went_away_stays() -> None:
    running = status_of(observation(run(Status.RUNNING, started_at=NOW)), NOW)
    status = api_down_status(observation(None, running, api_error="gone"), LATER)
    assert (status["phase"], status["startedAt"]) == ("Running", rfc3339(NOW))
    assert said(status)["Registered"] == ("True", "Registered", rfc3339(NOW))
    assert said(status)["Finished"] == ("False", "BackendUnavailable", rfc3339(NOW))


def test_one_that_is_being_deleted_names_the_way_out() -> None:
    waiting = observation(api_error="gone")
    assert waiting.testrun is not None
    waiting.testrun["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    message = api_down_status(waiting, NOW)["message"]
    assert message.endswith("annotate it sparktest.dev/abandon=true")


# --- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "alarm"),
    [
        (observation(run(Status.SUCCEEDED)), False),
        (observation(run(Status.FAILED, failure=EXIT_3)), False),
        (observation(run(Status.FAILED, failure=MISSING)), True),
        (observation(run()), False),
        (observation(run(status_reason="Unschedulable")), True),
        (observation(registration=Registration.DELETED), True),
    ],
    ids=["passed", "test failed", "config", "just pending", "waits", "deleted"],
)
def test_a_person_is_called_only_for_what_no_test_made(found: Observation, alarm: bool) -> None:
    assert needs_attention(status_of(found, NOW)) is alarm


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-3, "0s"), (45.9, "45s"), (60, "1m0s"), (72, "1m12s"), (7205, "2h0m5s")],
)
def test_a_duration_reads_as_kubectl_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_time_is_utc_in_whole_seconds() -> None:
    at = datetime.fromisoformat("2026-11-24T13:00:00.987+01:00")
    assert conditions.rfc3339(at) == "2026-11-24T12:00:00Z"
