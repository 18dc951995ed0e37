"""Start suites, and let a sequential suite go on when a run of it has ended.

In a sequential suite all runs are stored at the start, blocked except for the first. The
transaction that stores the end of a run unblocks the next one, so nothing is lost when the API or a
controller is restarted in between.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from sparktest.api import new_runs
from sparktest.api.store import runs
from sparktest.api.store import suite_runs as store
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import DEFINITIONS
from sparktest.domain import FailureClass, Status
from sparktest.domain_suites import ExecutionMode, moved, suite_status
from sparktest.errors import InvalidError
from sparktest.settings import Settings

BLOCKED = {
    "blocked": True,
    "status_reason": "WaitingForSuite",
    "status_message": "starts when the run before it in the suite has ended",
}
UNBLOCKED = {"blocked": False, "status_reason": None, "status_message": None}

log = logging.getLogger(__name__)


def start(
    connection: Connection,
    suite: Row,
    settings: Settings,
    now: datetime,
    *,
    schedule_id: str | None = None,
) -> str:
    """Store a suite run with a run of each definition, and return its id.

    Args:
        connection: in a transaction.
        suite: the row, with `test_definition_ids`.
        settings: with the namespace and the default timeout of API runs.
        now: the time of creation.
        schedule_id: the schedule that starts it, if one does.

    Raises:
        InvalidError: the suite is empty, or one of its definitions cannot be run.
    """
    ids = suite["test_definition_ids"]
    if not ids:
        detail = f"the suite {suite['name']!r} has no definitions; add one first"
        raise InvalidError.at("/testDefinitionIds", detail)
    suite_run_id = str(uuid4())
    kept = ("execution_mode", "stop_on_failure")
    store.add(
        connection,
        {
            "id": suite_run_id,
            "created_at": now,
            "version": 1,
            "suite_id": suite["id"],
            "suite_name": suite["name"],
            **{name: suite[name] for name in kept},
            "schedule_id": schedule_id,
            "status": Status.PENDING,
            "counts": {Status.PENDING: len(ids)},
        },
    )
    sequential = suite["execution_mode"] == ExecutionMode.SEQUENTIAL
    definitions = {each: DEFINITIONS.find(connection, each) for each in set(ids)}
    source = {"suite_run_id": suite_run_id, "schedule_id": schedule_id}
    for position, each in enumerate(ids):
        blocked = BLOCKED if sequential and position else {}
        try:
            new_runs.create(
                connection, {}, settings, now, definitions[each], source=source | blocked
            )
        except InvalidError as error:
            detail = f"cannot be run: {error.detail}"
            raise InvalidError.at(f"/testDefinitionIds/{position}", detail) from error
    log.info("suite run created suite_run_id=%s runs=%d", suite_run_id, len(ids))
    return suite_run_id


def after_change(
    connection: Connection, run: Row, changes: Mapping[str, Any], now: datetime
) -> None:
    """Count the new status of a run in its suite run, and unblock the next run after an end.

    Args:
        connection: in the transaction that changes the run.
        run: the row before the change.
        changes: the columns that the change sets.
        now: the time of the change.
    """
    if run["suite_run_id"] is None or "status" not in changes:
        return
    suite_run = store.find(connection, run["suite_run_id"], for_update=True)
    if suite_run is None:
        return
    status = Status(changes["status"])
    counts = moved(suite_run["counts"], run["status"], status)
    if status.final and not run["blocked"]:
        stopped = _go_on(connection, suite_run, status, now)
        for _ in range(stopped):
            counts = moved(counts, Status.PENDING, Status.CANCELLED)
    _store_progress(connection, suite_run, counts, changes, now)


def after_delete(connection: Connection, run: Row, now: datetime) -> None:
    """Count a run that was deleted before its end as cancelled, and unblock the next one."""
    if not Status(run["status"]).final:
        after_change(connection, run, {"status": Status.CANCELLED}, now)


def leave_out(connection: Connection, run: Row, now: datetime) -> Row:
    """End a blocked run as cancelled at once, since no controller has it; return the run."""
    ended = _stop(connection, run, "Cancelled", "cancelled before it started", now)
    after_change(connection, run, ended, now)
    return ended


def cancel(connection: Connection, suite_run: Row, now: datetime) -> None:
    """Cancel what is left of a locked suite run: blocked runs end now, others when stopped."""
    unfinished = store.lock_runs(connection, suite_run["id"])
    counts = suite_run["counts"]
    for run in unfinished:
        if run["blocked"]:
            _stop(connection, run, "SuiteCancelled", "the suite run was cancelled", now)
            counts = moved(counts, Status.PENDING, Status.CANCELLED)
        elif run["cancel_requested_at"] is None:
            runs.change(connection, run, {"cancel_requested_at": now}, now)
    requested = {"cancel_requested_at": suite_run["cancel_requested_at"] or now}
    store.change(connection, suite_run["id"], requested)
    _store_progress(connection, suite_run, counts, {}, now)


def _go_on(connection: Connection, suite_run: Row, ended: Status, now: datetime) -> int:
    """Unblock the next run, or end all blocked ones; return how many were ended."""
    blocked = [run for run in store.lock_runs(connection, suite_run["id"]) if run["blocked"]]
    if not blocked:
        return 0
    if not suite_run["stop_on_failure"] or ended is Status.SUCCEEDED:
        runs.change(connection, blocked[0], UNBLOCKED, now)
        return 0
    for run in blocked:
        message = f"a run before it in the suite ended as {ended}"
        _stop(connection, run, "SuiteStopped", message, now)
    return len(blocked)


def _stop(connection: Connection, run: Row, reason: str, message: str, now: datetime) -> Row:
    failure = {"class": FailureClass.CANCELLED, "reason": reason, "message": message}
    end = {**UNBLOCKED, "status": Status.CANCELLED, "failure": failure, "finished_at": now}
    return runs.change(connection, run, end, now)


def _store_progress(
    connection: Connection,
    suite_run: Row,
    counts: Mapping[str, int],
    changes: Mapping[str, Any],
    now: datetime,
) -> None:
    status = suite_status(counts)
    columns: dict[str, Any] = {"counts": dict(counts), "status": status}
    if suite_run["started_at"] is None:
        columns["started_at"] = changes.get("started_at")
    if status.final:
        started = suite_run["started_at"] or columns["started_at"]
        finished = changes.get("finished_at") or now
        # The clocks of clusters and API differ.
        columns["finished_at"] = max(finished, started) if started else finished
    store.change(connection, suite_run["id"], columns)
