"""The status of a TestRun, and when to write it. Pure."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from sparktest.controller.observation import Observation, Registration
from sparktest.controller.steps import (
    DeferUntilApiUp,
    PatchStatus,
    RecordEvent,
    ReleaseFinalizer,
    RequeueAt,
    Step,
)
from sparktest.controller.testruns import ABANDON, TestRunView
from sparktest.domain import Failure, FailureClass, Origin, Run, RunReport, Status
from sparktest.kube.fields import Object, items, text
from sparktest.kube.outcome import final_status
from sparktest.kube.views import parse_conditions
from sparktest.times import format_duration, format_time, parse_time

BACKEND_UNAVAILABLE = "BackendUnavailable"
PHASES = {status.phase: status for status in Status}
# Failures that are results of the test or wanted by a user: they get no Warning Event.
EXPECTED_FAILURES = (FailureClass.TEST.value, FailureClass.CANCELLED.value)
# The reason of a run whose init container goes on, such as Init:0/1.
INIT_RUNS = re.compile(r"Init:\d+/\d+")
# Most runs start within this time; writing Pending before that would be a wasted write.
PENDING_STATUS_DELAY = timedelta(seconds=2)
# A TestRun's status ignores an API outage that is shorter than this.
API_DOWN_STATUS_DELAY = timedelta(seconds=5)


class _Condition(NamedTuple):
    type: str
    status: str
    reason: str
    # Not the message of a failure or a wait, which has its place in the status.
    message: str = ""


def update_status(observed: Observation, now: datetime) -> Iterator[Step]:
    """Write the status if it changed, with a Warning Event if a person must act."""
    testrun = observed.testrun
    if testrun is None or (observed.run and observed.run.origin is not Origin.CRD):
        return
    delayed_until = _delayed_until(observed)
    if delayed_until and now < delayed_until:
        yield RequeueAt(delayed_until)
        return
    yield from _warn_of_change(testrun)
    status = build_status(observed, testrun, now)
    yield from _write(observed, testrun, status, warn=needs_attention(status))


def acknowledge_change(observed: Observation) -> Iterator[Step]:
    """Note in the status of a finished TestRun that a change of its spec has been seen."""
    testrun = observed.testrun
    if testrun is not None and testrun.unseen_changes:
        yield from _warn_of_change(testrun)
        yield PatchStatus({**testrun.status, "observedGeneration": testrun.generation})


def handle_api_down(observed: Observation, now: datetime) -> Iterator[Step]:
    """Wait for the API; say so in the status once the outage lasts."""
    yield DeferUntilApiUp()
    testrun = observed.testrun
    if testrun is None:
        return
    if testrun.is_deleting and testrun.is_abandoned:
        if testrun.has_finalizer:
            yield ReleaseFinalizer()
        return
    if testrun.status_is_final:
        return
    delayed_until = (observed.api_down_since or now) + API_DOWN_STATUS_DELAY
    if now < delayed_until:
        yield RequeueAt(delayed_until)
        return
    status = build_api_down_status(testrun, observed.api_error, now)
    yield from _write(observed, testrun, status, warn=True)


def build_status(observed: Observation, testrun: TestRunView, now: datetime) -> dict[str, Any]:
    """Return the whole `.status` of a TestRun, with or without a run."""
    if observed.run is not None and observed.registration is not Registration.DELETED:
        return _run_status(testrun, observed.run, now)
    if observed.registration is Registration.DELETED:
        message = "its run was deleted in SparkTest"
        failure = Failure(FailureClass.INFRA, "ObjectGone", message)
    else:
        failure = observed.permanent_error or Failure(FailureClass.CONFIG, "Invalid")
    return _failure_status(testrun, failure, now)


def build_api_down_status(
    testrun: TestRunView, api_error: str | None, now: datetime
) -> dict[str, Any]:
    """Return the current `.status`, changed to say that the TestRun waits for the API."""
    message = (
        f"waiting for the SparkTest API: {api_error}; to give up its outcome, delete the TestRun,"
        f" then annotate it with {ABANDON}=true"
    )
    conditions = [_Condition("Finished", "False", BACKEND_UNAVAILABLE)]
    registered = parse_conditions(testrun.status).get("Registered")
    if registered is None or registered.status != "True":
        conditions.insert(0, _Condition("Registered", "False", BACKEND_UNAVAILABLE))
    return {
        "phase": Status.PENDING.phase,
        **testrun.status,
        "reason": BACKEND_UNAVAILABLE,
        "message": message,
        "conditions": _merge_conditions(testrun.status, conditions, now),
    }


def read_end(status: Object) -> RunReport:
    """Return the report of the end that a final `.status` describes."""
    return RunReport(
        status=PHASES[text(status, "phase")],
        started_at=parse_time(status.get("startedAt")),
        finished_at=parse_time(status.get("finishedAt")),
        failure=_read_failure(status),
    )


def status_names_other_run(observed: Observation) -> bool:
    """Return True if the end was reported again to a run that the status does not name yet."""
    if observed.testrun is None or observed.run is None or observed.last_report is None:
        return False
    return bool(observed.testrun.status.get("runId") != observed.run.id)


def needs_attention(status: dict[str, Any]) -> bool:
    """Return True if a person must act: the run waits, or it failed for an unexpected reason."""
    failure = status.get("failure")
    if failure:
        return failure["class"] not in EXPECTED_FAILURES
    reason = status.get("reason")
    waits = bool(reason) and status["phase"] == Status.PENDING.phase
    return waits and not INIT_RUNS.fullmatch(str(reason))


def _write(
    observed: Observation, testrun: TestRunView, status: dict[str, Any], *, warn: bool
) -> Iterator[Step]:
    # The CRD may be older and drop fields, so compare with what was written, too.
    if status in (testrun.status, observed.last_status):
        return
    yield PatchStatus(status)
    if warn and status.get("reason") != testrun.status.get("reason"):
        message = (status.get("failure") or status).get("message")
        yield RecordEvent(str(status["reason"]), str(message or ""))


def _warn_of_change(testrun: TestRunView) -> Iterator[Step]:
    # The CRD refuses changes other than `cancelled`, but not before Kubernetes 1.25.
    # A delete counts as a generation, too.
    if testrun.unseen_changes > testrun.is_cancelled + testrun.is_deleting:
        message = (
            "the spec was changed after its run had been started (generation"
            f" {testrun.generation}); this has no effect: create another TestRun"
        )
        yield RecordEvent("SpecChanged", message, testrun.generation)


def _delayed_until(observed: Observation) -> datetime | None:
    run = observed.run
    if run is None or run.status is not Status.PENDING or run.status_reason:
        return None
    return run.created_at + PENDING_STATUS_DELAY


def _run_status(testrun: TestRunView, run: Run, now: datetime) -> dict[str, Any]:
    failure = run.failure
    reason = failure.reason if failure else run.status_reason
    end = run.finished_at or parse_time(testrun.status.get("finishedAt")) or now
    registered = _Condition("Registered", "True", "Registered", f"run {run.id}")
    conditions = [registered, *_progress_conditions(run.status, reason)]
    status: dict[str, Any] = {
        "phase": run.status.phase,
        "runId": run.id,
        "jobName": run.job_name,
        "observedGeneration": testrun.generation,
        "reason": reason,
        "message": None if failure else run.status_message,
        "startedAt": format_time(run.started_at) if run.started_at else None,
        "conditions": _merge_conditions(testrun.status, conditions, now),
    }
    if run.status.final:
        status["finishedAt"] = format_time(end)
        status["duration"] = _duration(run, end)
        status["failure"] = msgspec.to_builtins(failure) if failure else None
    return _without_empty(status)


def _failure_status(testrun: TestRunView, failure: Failure, now: datetime) -> dict[str, Any]:
    """Return the status of a TestRun that has no run in the API."""
    status = final_status(failure)
    conditions = [
        _Condition("Registered", "False", failure.reason),
        *_progress_conditions(status, failure.reason),
    ]
    return _without_empty(
        {
            "phase": status.phase,
            "observedGeneration": testrun.generation,
            "reason": failure.reason,
            "startedAt": testrun.status.get("startedAt"),
            "finishedAt": format_time(parse_time(testrun.status.get("finishedAt")) or now),
            "duration": "0s",
            "failure": msgspec.to_builtins(failure),
            "conditions": _merge_conditions(testrun.status, conditions, now),
        }
    )


def _read_failure(status: Object) -> Failure | None:
    final = PHASES[text(status, "phase")]
    if final is Status.SUCCEEDED:
        return None
    try:
        return msgspec.convert(status.get("failure"), Failure)
    except msgspec.ValidationError:
        # The CRD may be older and drop the field.
        classes = {Status.TIMED_OUT: FailureClass.TIMEOUT, Status.CANCELLED: FailureClass.CANCELLED}
        reason = text(status, "reason") or final.phase
        failure_class = classes.get(final, FailureClass.INFRA)
        return Failure(failure_class, reason)


def _progress_conditions(status: Status, reason: str | None) -> list[_Condition]:
    if not status.final:
        return [_Condition("Finished", "False", reason or status.phase)]
    succeeded = "True" if status is Status.SUCCEEDED else "False"
    return [
        _Condition("Finished", "True", status.phase),
        _Condition("Succeeded", succeeded, reason or status.phase),
    ]


def _merge_conditions(
    old_status: dict[str, Any], conditions: list[_Condition], now: datetime
) -> list[dict[str, Any]]:
    """Return the old conditions, updated by the new ones.

    `lastTransitionTime` changes only when the status of the condition does.
    """
    others = {text(entry, "type"): entry for entry in items(old_status, "conditions")}
    merged = []
    for condition in conditions:
        old = others.pop(condition.type, {})
        same = old.get("status") == condition.status and old.get("lastTransitionTime")
        changed_at = old["lastTransitionTime"] if same else format_time(now)
        merged.append({**_without_empty(condition._asdict()), "lastTransitionTime": changed_at})
    return [*merged, *others.values()]


def _duration(run: Run, end: datetime) -> str:
    if run.started_at is None:
        return "0s"
    return format_duration((end - run.started_at).total_seconds())


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
