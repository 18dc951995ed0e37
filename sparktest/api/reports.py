"""Apply reports to runs: a status only moves forward, a final one never changes. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sparktest.domain import LOG_TOO_LARGE, LogState, Status
from sparktest.errors import OffsetError

LOG_RANK = {LogState.NONE: 0, LogState.PARTIAL: 1, LogState.COMPLETE: 2}
MAX_REASON = 253
MAX_MESSAGE = 4096


def changes(run: Mapping[str, Any], report: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the columns that the report changes; empty when it has nothing new.

    Args:
        run: the current row.
        report: a loaded ReportSchema.
        now: the time of the report, used as the end of a run whose report has none.

    Raises:
        OffsetError: less of the log is stored than the report says.
    """
    before, after = Status(run["status"]), Status(report["status"])
    columns: dict[str, Any] = {}
    if not before.final and after.rank >= before.rank:
        columns |= _progress(run, report)
        columns |= _end(run, report, after, now) if after.final else _waiting(report)
    columns |= _log(run, report.get("log"))
    return {column: value for column, value in columns.items() if run[column] != value}


def _progress(run: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": report["status"],
        # The first value is kept: a run has one Job, and it starts once.
        "job_uid": run["job_uid"] or report.get("job_uid"),
        "started_at": run["started_at"] or report.get("started_at"),
        "git_commit": run["git_commit"] or report.get("git_commit"),
    }


def _waiting(report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status_reason": _truncate(report.get("status_reason"), MAX_REASON),
        "status_message": _truncate(report.get("status_message"), MAX_MESSAGE),
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
        # The clocks of nodes, cluster and API differ; a run must not end before it starts.
        "finished_at": max(finished, started) if started else finished,
        "failure": failure
        and {
            **failure,
            "reason": _truncate(failure["reason"], MAX_REASON),
            "message": _truncate(failure["message"], MAX_MESSAGE),
        },
    }


def _log(run: Mapping[str, Any], log: Mapping[str, Any] | None) -> dict[str, Any]:
    """Let the log become more complete, also after the end of the run."""
    stored = run["log_bytes"]
    if log and log.get("bytes", 0) > stored:
        # The database was restored after the log had been stored.
        raise OffsetError(f"{stored} of {log['bytes']} bytes of the log are stored", stored=stored)
    if run["log_reason"] == LOG_TOO_LARGE:
        # The controller has sent all of it, and does not know that some was not stored.
        return {}
    if not log or LOG_RANK[LogState(log["state"])] < LOG_RANK[LogState(run["log_state"])]:
        return {}
    return {"log_state": log["state"], "log_reason": _truncate(log.get("reason"), MAX_MESSAGE)}


def _truncate(text: str | None, max_length: int) -> str | None:
    return text[:max_length] if text else text
