"""When a TestRun is told something, and when that is worth an Event."""

from datetime import timedelta
from typing import Any

from sparktest.controller import notices
from sparktest.controller.conditions import status_of
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.steps import (
    DeferUntilApiUp,
    PatchStatus,
    RecordEvent,
    ReleaseFinalizer,
    RequeueAt,
    Step,
)
from sparktest.controller.testruns import ABANDON
from sparktest.domain import Origin, Status
from sparktest.kube.jobs import FINALIZER
from tests.controller.objects import EXIT_3, LATER, MISSING, NOW, observation, run


def last_status(found: Observation, now: Any = LATER) -> list[Step]:
    return list(notices.tell(found, now))


def test_a_run_that_just_began_is_not_worth_a_word_yet() -> None:
    soon = NOW + notices.PENDING_STATUS_DELAY
    assert last_status(observation(run()), NOW) == [RequeueAt(soon)]
    assert [type(step) for step in last_status(observation(run()), soon)] == [PatchStatus]


def test_what_it_waits_for_is_said_at_once() -> None:
    waiting = observation(run(status_reason="Unschedulable", status_message="no node fits"))
    patch, emit = last_status(waiting, NOW)
    assert isinstance(patch, PatchStatus)
    assert emit == RecordEvent("Unschedulable", "no node fits")


def test_what_the_testrun_says_already_is_not_written_again() -> None:
    running = run(Status.RUNNING, started_at=NOW)
    status = status_of(observation(running), NOW)
    assert last_status(observation(running, status)) == []


def test_what_an_older_crd_drops_is_not_written_again_and_again() -> None:
    running = run(Status.RUNNING, started_at=NOW)
    whole = status_of(observation(running), NOW)
    kept = {"phase": whole["phase"], "conditions": whole["conditions"]}
    assert last_status(observation(running, kept)) == [PatchStatus(whole)]
    assert last_status(observation(running, kept, last_status=whole)) == []


def test_a_test_that_fails_makes_no_event() -> None:
    failed = observation(run(Status.FAILED, failure=EXIT_3, finished_at=NOW))
    assert [type(step) for step in last_status(failed)] == [PatchStatus]


def test_the_same_reason_makes_no_second_event() -> None:
    failed = run(Status.FAILED, failure=MISSING, finished_at=NOW)
    said = {"reason": MISSING.reason, "phase": "Pending"}
    assert [type(step) for step in last_status(observation(failed, said))] == [PatchStatus]


def test_a_run_of_the_api_and_a_run_without_a_testrun_are_told_nowhere() -> None:
    assert last_status(observation(run(Status.RUNNING, origin=Origin.API))) == []
    assert last_status(observation(run(Status.RUNNING), testrun=None)) == []


def test_a_testrun_that_was_refused_is_told_so() -> None:
    classify_rejection = observation(registration=Registration.REJECTED, permanent_error=MISSING)
    patch, emit = last_status(classify_rejection)
    assert isinstance(patch, PatchStatus)
    assert emit == RecordEvent("DefinitionNotFound", "no such definition")


# --- the API is away -----------------------------------------------------------------------------


def away(found: Observation, now: Any = LATER) -> list[Step]:
    return list(notices.away(found, now))


def test_an_api_that_is_away_for_a_moment_is_not_worth_a_word() -> None:
    at = NOW + notices.API_DOWN_STATUS_DELAY
    found = observation(api_error="refused", api_down_since=NOW)
    assert away(found, NOW) == [DeferUntilApiUp(), RequeueAt(at)]
    assert away(found, at - timedelta(seconds=1)) == [DeferUntilApiUp(), RequeueAt(at)]


def test_an_api_that_stays_away_is_said_once_with_an_event() -> None:
    found = observation(api_error="refused", api_down_since=NOW)
    park, patch, emit = away(found)
    assert park == DeferUntilApiUp()
    assert isinstance(patch, PatchStatus)
    assert isinstance(emit, RecordEvent)
    assert emit.reason == "BackendUnavailable"
    again = observation(None, patch.status, api_error="refused", api_down_since=NOW)
    assert away(again) == [DeferUntilApiUp()]


def test_without_a_testrun_it_only_waits() -> None:
    assert away(observation(testrun=None, api_error="refused", api_down_since=NOW)) == [
        DeferUntilApiUp()
    ]


def has_finalizer(*, is_deleting: bool, abandon: bool) -> Observation:
    found = observation(api_error="refused", api_down_since=NOW)
    assert found.testrun is not None
    metadata = found.testrun["metadata"]
    metadata["finalizers"] = [FINALIZER]
    if is_deleting:
        metadata["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    if abandon:
        metadata["annotations"] = {ABANDON: "true"}
    return found


def test_one_that_is_deleted_and_abandoned_is_let_go() -> None:
    assert away(has_finalizer(is_deleting=True, abandon=True)) == [
        DeferUntilApiUp(),
        ReleaseFinalizer(),
    ]


def test_one_that_is_only_deleted_or_only_annotated_is_held() -> None:
    for found in (
        has_finalizer(is_deleting=True, abandon=False),
        has_finalizer(is_deleting=False, abandon=True),
    ):
        assert ReleaseFinalizer() not in away(found)
