"""What a report changes in a run: only forward, and never a final status. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sparktest.domain import LogState, Status

LOG_RANK = {LogState.NONE: 0, LogState.PARTIAL: 1, LogState.COMPLETE: 2}
MAX_REASON = 253
MAX_MESSAGE = 4096


def changes(run: Mapping[str, Any], report: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The columns that the report gives new values; empty when it says nothing new.

    Args:
        run: the row as it is.
        report: a loaded ReportSchema.
        now: when the report came; the end of a run whose report names none.
    """
    before, after = Status(run["status"]), Status(report["status"])
    said: dict[str, Any] = {}
    if not before.final and after.rank >= before.rank:
        said |= _progress(run, report)
        said |= _end(run, report, after, now) if after.final else _waiting(report)
    said |= _log(run, report.get("log"))
    return {column: value for column, value in said.items() if run[column] != value}


def _progress(run: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": report["status"],
        # What is known stays: a run has one Job, and it starts once.
        "job_uid": run["job_uid"] or report.get("job_uid"),
        "started_at": run["started_at"] or report.get("started_at"),
    }


def _waiting(report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status_reason": _cut(report.get("status_reason"), MAX_REASON),
        "status_message": _cut(report.get("status_message"), MAX_MESSAGE),
    }


def _end(
    run: Mapping[str, Any], report: Mapping[str, Any], status: Status, now: datetime
) -> dict[str, Any]:
    started = run["started_at"] or report.get("started_at")
    finished = report.get("finished_at") or now
    failure = report.get("failure") if status is not Status.SUCCEEDED else None
    return {
        "status_reason": None,
        "status_message": None,
        # The clocks of nodes, cluster and API differ; a run still does not end before it starts.
        "finished_at": max(finished, started) if started else finished,
        "failure": _failure(failure) if failure else None,
    }


def _failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        "class": failure["class_"],
        "reason": _cut(failure["reason"], MAX_REASON),
        "message": _cut(failure["message"], MAX_MESSAGE),
        "exitCode": failure.get("exit_code"),
    }
    return {name: value for name, value in said.items() if value is not None}


def _log(run: Mapping[str, Any], log: Mapping[str, Any] | None) -> dict[str, Any]:
    """The log may still get better after the end: what was missing can come later."""
    if not log or LOG_RANK[LogState(log["state"])] < LOG_RANK[LogState(run["log_state"])]:
        return {}
    return {"log_state": log["state"], "log_reason": _cut(log.get("reason"), MAX_MESSAGE)}


def _cut(text: str | None, longest: int) -> str | None:
    return text[:longest] if text else text
