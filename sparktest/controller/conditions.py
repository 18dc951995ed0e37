"""The status of a TestRun, as a value made from what is recorded. Pure."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sparktest.controller.observation import Observation, Registration
from sparktest.controller.testruns import ABANDON
from sparktest.domain import Failure, FailureClass, Run, Status
from sparktest.kube.outcome import make_failure
from sparktest.kube.outcome import status_of as status_of_failure
from sparktest.kube.pods import Object, moment, section

AWAY = "BackendUnavailable"
EXPECTED_FAILURES = (FailureClass.TEST.value, FailureClass.CANCELLED.value)


def status_of(observed: Observation, now: datetime) -> dict[str, Any]:
    """The whole `.status`: of the run where there is one, else of a TestRun that never had one."""
    if observed.run is not None and observed.registration is not Registration.DELETED:
        return _of_run(observed, observed.run, now)
    if observed.registration is Registration.DELETED:
        message = "its run was deleted in SparkTest"
        failure = make_failure(FailureClass.INFRA, "ObjectGone", message)
    else:
        failure = observed.permanent_error or make_failure(FailureClass.CONFIG, "Refused", "")
    return _never_ran(observed, failure, now)


def api_down_status(observed: Observation, now: datetime) -> dict[str, Any]:
    """The `.status` of a TestRun that waits for the API: as it was, and that it waits."""
    old = section(observed.testrun, "status")
    message = f"SparkTest's API does not answer, this TestRun waits for it: {observed.api_error}"
    if observed.is_deleting:
        message += f"; to delete it without a record, annotate it {ABANDON}=true"
    registered = _condition_of(observed.testrun, "Registered") or {}
    said = [("Finished", "False", AWAY, message)]
    if registered.get("status") != "True":
        said.insert(0, ("Registered", "False", AWAY, message))
    return {
        "phase": Status.PENDING.phase,
        **old,
        "reason": AWAY,
        "message": message,
        "conditions": _conditions(observed.testrun, said, now),
    }


def needs_attention(status: dict[str, Any]) -> bool:
    """Whether a person has to do something about it: a wait or a failure that no test made."""
    failure = status.get("failure")
    if failure:
        return failure["class"] not in EXPECTED_FAILURES
    return bool(status.get("reason")) and status["phase"] == Status.PENDING.phase


def duration(seconds: float) -> str:
    """As kubectl writes it: `45s`, `1m12s`, `2h0m5s`."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest}s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def rfc3339(at: datetime) -> str:
    """As Kubernetes writes a time: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_run(observed: Observation, run: Run, now: datetime) -> dict[str, Any]:
    failure = run.failure
    reason = failure.reason if failure else run.status_reason
    message = failure.message if failure else run.status_message
    old = section(observed.testrun, "status")
    end = run.finished_at or moment(old.get("finishedAt")) or now
    said = [("Registered", "True", "Registered", f"run {run.id}")]
    said += _ends(run.status, reason, message)
    return _present(
        phase=run.status.phase,
        runId=run.id,
        jobName=run.job_name,
        observedGeneration=_generation(observed),
        reason=reason,
        message=message,
        startedAt=rfc3339(run.started_at) if run.started_at else None,
        finishedAt=rfc3339(end) if run.status.final else None,
        duration=_lasted(run, end) if run.status.final else None,
        failure=msgspec.to_builtins(failure) if failure else None,
        conditions=_conditions(observed.testrun, said, now),
    )


def _never_ran(observed: Observation, failure: Failure, now: datetime) -> dict[str, Any]:
    old = section(observed.testrun, "status")
    finished_at = moment(old.get("finishedAt")) or now
    status = status_of_failure(failure)
    said = [("Registered", "False", failure.reason, failure.message)]
    said += _ends(status, failure.reason, failure.message)
    return _present(
        phase=status.phase,
        observedGeneration=_generation(observed),
        reason=failure.reason,
        message=failure.message,
        startedAt=old.get("startedAt"),
        finishedAt=rfc3339(finished_at),
        duration=duration(0),
        failure=msgspec.to_builtins(failure),
        conditions=_conditions(observed.testrun, said, now),
    )


def _ends(
    status: Status, reason: str | None, message: str | None
) -> list[tuple[str, str, str, str]]:
    if not status.final:
        return [("Finished", "False", reason or status.phase, message or "")]
    succeeded = "True" if status is Status.SUCCEEDED else "False"
    return [
        ("Finished", "True", status.phase, message or ""),
        ("Succeeded", succeeded, reason or status.phase, message or ""),
    ]


def _conditions(
    testrun: Object | None, said: list[tuple[str, str, str, str]], now: datetime
) -> list[dict[str, Any]]:
    """Those said, then those that stand; a time moves only when the condition's status does."""
    last_status = []
    for kind, status, reason, message in said:
        old = _condition_of(testrun, kind) or {}
        same = old.get("status") == status and old.get("lastTransitionTime")
        last_status.append(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": old["lastTransitionTime"] if same else rfc3339(now),
            }
        )
    kinds = {entry["type"] for entry in last_status}
    others = section(testrun, "status").get("conditions") or []
    return last_status + [entry for entry in others if entry.get("type") not in kinds]


def _condition_of(testrun: Object | None, kind: str) -> dict[str, Any] | None:
    found = section(testrun, "status").get("conditions") or []
    return next((entry for entry in found if entry.get("type") == kind), None)


def _generation(observed: Observation) -> int | None:
    found = section(observed.testrun, "metadata").get("generation")
    return found if isinstance(found, int) else None


def _lasted(run: Run, end: datetime) -> str:
    return duration((end - (run.started_at or end)).total_seconds())


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
