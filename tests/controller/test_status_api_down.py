"""The status of a TestRun while the API is down."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from sparktest.controller import status as status_module
from sparktest.controller.status import build_api_down_status, handle_api_down
from sparktest.controller.steps import (
    DeferUntilApiUp,
    PatchStatus,
    RecordEvent,
    ReleaseFinalizer,
    RequeueAt,
    Step,
)
from sparktest.controller.testruns import ABANDON
from sparktest.domain import Status
from sparktest.kube.jobs import FINALIZER
from sparktest.times import format_time
from tests.controller.objects import LATER, NOW, a_testrun, observation, run
from tests.controller.statuses import conditions, status_of


def test_the_status_of_a_new_testrun_says_that_it_waits_for_the_api() -> None:
    status = build_api_down_status(a_testrun(), "connection refused", NOW)
    assert (status["phase"], status["reason"]) == ("Pending", "BackendUnavailable")
    assert status["message"] == (
        "waiting for the SparkTest API: connection refused; to give up its outcome,"
        " delete the TestRun, then annotate it with sparktest.dev/abandon=true"
    )
    assert conditions(status)["Registered"][:2] == ("False", "BackendUnavailable")
    assert conditions(status)["Finished"][:2] == ("False", "BackendUnavailable")


def test_phase_and_times_from_before_the_outage_are_kept() -> None:
    running = status_of(observation(run(Status.RUNNING, started_at=NOW)), NOW)
    status = build_api_down_status(a_testrun(running), "refused", LATER)
    assert (status["phase"], status["startedAt"]) == ("Running", format_time(NOW))
    assert conditions(status)["Registered"] == ("True", "Registered", format_time(NOW))
    assert conditions(status)["Finished"] == ("False", "BackendUnavailable", format_time(NOW))


def outage(now: datetime = LATER, **fields: Any) -> list[Step]:
    given: dict[str, Any] = {"api_error": "refused", "api_down_since": NOW}
    return list(handle_api_down(observation(**(given | fields)), now))


def test_a_short_outage_is_not_written() -> None:
    at = NOW + status_module.API_DOWN_STATUS_DELAY
    assert outage(NOW) == [DeferUntilApiUp(), RequeueAt(at)]
    assert outage(at - timedelta(seconds=1)) == [DeferUntilApiUp(), RequeueAt(at)]


def test_a_long_outage_is_written_once_with_an_event() -> None:
    defer, patch, event = outage()
    assert defer == DeferUntilApiUp()
    assert isinstance(patch, PatchStatus)
    assert isinstance(event, RecordEvent)
    assert event.reason == "BackendUnavailable"
    assert outage(testrun=a_testrun(patch.status)) == [DeferUntilApiUp()]


def test_a_final_status_stays_during_an_outage() -> None:
    finished = a_testrun({"phase": "Succeeded", "reason": "Succeeded"})
    assert outage(testrun=finished) == [DeferUntilApiUp()]


def test_without_a_testrun_only_the_key_is_deferred() -> None:
    assert outage(testrun=None) == [DeferUntilApiUp()]


DELETION = {"deletionTimestamp": format_time(NOW)}
ABANDONED = {"annotations": {ABANDON: "true"}}


def test_a_deleted_and_abandoned_testrun_is_released() -> None:
    testrun = a_testrun(finalizers=[FINALIZER], **DELETION, **ABANDONED)
    assert outage(testrun=testrun) == [DeferUntilApiUp(), ReleaseFinalizer()]


@pytest.mark.parametrize("metadata", [DELETION, ABANDONED], ids=["deleted", "abandoned"])
def test_a_testrun_that_is_only_deleted_or_only_abandoned_is_not_released(
    metadata: dict[str, Any],
) -> None:
    testrun = a_testrun(finalizers=[FINALIZER], **metadata)
    assert ReleaseFinalizer() not in outage(testrun=testrun)
