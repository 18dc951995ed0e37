"""When a TestRun is told something, and when that is worth an Event."""

from datetime import timedelta
from typing import Any

from sparktest.controller import notices
from sparktest.controller.conditions import status_of
from sparktest.controller.known import Known, Standing
from sparktest.controller.steps import Emit, LookAgain, Park, PatchStatus, ReleaseFinalizer, Step
from sparktest.controller.testruns import ABANDON
from sparktest.domain import Origin, Status
from sparktest.kube.jobs import FINALIZER
from tests.controller.objects import EXIT_3, LATER, MISSING, NOW, known, run


def told(found: Known, now: Any = LATER) -> list[Step]:
    return list(notices.tell(found, now))


def test_a_run_that_just_began_is_not_worth_a_word_yet() -> None:
    soon = NOW + notices.PENDING_UNSAID
    assert told(known(run()), NOW) == [LookAgain(soon)]
    assert [type(step) for step in told(known(run()), soon)] == [PatchStatus]


def test_what_it_waits_for_is_said_at_once() -> None:
    waiting = known(run(status_reason="Unschedulable", status_message="no node fits"))
    patch, emit = told(waiting, NOW)
    assert isinstance(patch, PatchStatus)
    assert emit == Emit("Unschedulable", "no node fits")


def test_what_the_testrun_says_already_is_not_written_again() -> None:
    running = run(Status.RUNNING, started_at=NOW)
    status = status_of(known(running), NOW)
    assert told(known(running, status)) == []


def test_what_an_older_crd_drops_is_not_written_again_and_again() -> None:
    running = run(Status.RUNNING, started_at=NOW)
    whole = status_of(known(running), NOW)
    kept = {"phase": whole["phase"], "conditions": whole["conditions"]}
    assert told(known(running, kept)) == [PatchStatus(whole)]
    assert told(known(running, kept, told=whole)) == []


def test_a_test_that_fails_makes_no_event() -> None:
    failed = known(run(Status.FAILED, failure=EXIT_3, finished_at=NOW))
    assert [type(step) for step in told(failed)] == [PatchStatus]


def test_the_same_reason_makes_no_second_event() -> None:
    failed = run(Status.FAILED, failure=MISSING, finished_at=NOW)
    said = {"reason": MISSING.reason, "phase": "Pending"}
    assert [type(step) for step in told(known(failed, said))] == [PatchStatus]


def test_a_run_of_the_api_and_a_run_without_a_testrun_are_told_nowhere() -> None:
    assert told(known(run(Status.RUNNING, origin=Origin.API))) == []
    assert told(known(run(Status.RUNNING), testrun=None)) == []


def test_a_testrun_that_was_refused_is_told_so() -> None:
    refused = known(standing=Standing.REFUSED, refusal=MISSING)
    patch, emit = told(refused)
    assert isinstance(patch, PatchStatus)
    assert emit == Emit("DefinitionNotFound", "no such definition")


# --- the API is away -----------------------------------------------------------------------------


def away(found: Known, now: Any = LATER) -> list[Step]:
    return list(notices.away(found, now))


def test_an_api_that_is_away_for_a_moment_is_not_worth_a_word() -> None:
    at = NOW + notices.AWAY_UNSAID
    found = known(away="refused", away_since=NOW)
    assert away(found, NOW) == [Park(), LookAgain(at)]
    assert away(found, at - timedelta(seconds=1)) == [Park(), LookAgain(at)]


def test_an_api_that_stays_away_is_said_once_with_an_event() -> None:
    found = known(away="refused", away_since=NOW)
    park, patch, emit = away(found)
    assert park == Park()
    assert isinstance(patch, PatchStatus)
    assert isinstance(emit, Emit)
    assert emit.reason == "BackendUnavailable"
    again = known(None, patch.status, away="refused", away_since=NOW)
    assert away(again) == [Park()]


def test_without_a_testrun_it_only_waits() -> None:
    assert away(known(testrun=None, away="refused", away_since=NOW)) == [Park()]


def held(*, deleting: bool, abandon: bool) -> Known:
    found = known(away="refused", away_since=NOW)
    assert found.testrun is not None
    metadata = found.testrun["metadata"]
    metadata["finalizers"] = [FINALIZER]
    if deleting:
        metadata["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    if abandon:
        metadata["annotations"] = {ABANDON: "true"}
    return found


def test_one_that_is_deleted_and_abandoned_is_let_go() -> None:
    assert away(held(deleting=True, abandon=True)) == [Park(), ReleaseFinalizer()]


def test_one_that_is_only_deleted_or_only_annotated_is_held() -> None:
    for found in (held(deleting=True, abandon=False), held(deleting=False, abandon=True)):
        assert ReleaseFinalizer() not in away(found)
