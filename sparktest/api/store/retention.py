"""What is deleted when it is old: runs with all that belongs to them, and what else grows.

Everything is deleted in small steps, the oldest first, so that a step holds no lock for long.
A run is deleted when all of this holds:

- it is final, and so is every run of its suite run;
- it, and every run of its suite run, was created before the time of `created_before`;
- it ended as long ago as runs are kept, and at least an hour ago: a controller may still read it.

Rules of the others, from their own times: a tombstone 30 days after the last time that a controller
asked for its run, a change 7 days, the response to an Idempotency-Key and the heartbeat of a
controller 24 hours. The audit is kept as long as runs are, at least 90 days, and for ever where
runs are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, exists, func, insert, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from sparktest.api.store import changes, run_search
from sparktest.api.store.access_tables import AuditRow, IdempotencyKeyRow
from sparktest.api.store.changes import ChangeKind
from sparktest.api.store.engine import Row, fetch_all
from sparktest.api.store.idempotency import KEEP
from sparktest.api.store.run_tables import LogChunkRow, RunRow, TombstoneRow
from sparktest.api.store.runs import CONTROLLER_KEPT
from sparktest.api.store.tables import ControllerRow, SuiteRunRow
from sparktest.domain import LogState, Status

FINAL = [status for status in Status if status.final]
MIN_AGE = timedelta(hours=1)
TOMBSTONES = timedelta(days=30)
CHANGES = timedelta(days=7)
AUDIT = timedelta(days=90)
# Newer runs are counted in pieces of this size: with all of them, a step would take too long.
COUNTED_AT_ONCE = 1000
# A log that is larger is deleted before its run, and a step deletes about as much.
STEP_LOG_BYTES = 4 * 1024**2
STEP_CHUNKS = 16
PRUNED = "Pruned"

_MEMBER = aliased(RunRow)
_NEEDED: tuple[Any, ...] = (
    RunRow.seq,
    RunRow.id,
    RunRow.cluster,
    RunRow.k8s_ref_uid,
    RunRow.suite_run_id,
    RunRow.log_bytes,
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are old: created before one time and ended before the other."""

    created_before: datetime
    ended_before: datetime


def limits(
    connection: Connection, now: datetime, days: float | None, runs: int | None
) -> Limits | None:
    """Return the limits of a retention by age and by number; None if all runs are kept.

    Args:
        connection: for reading.
        now: the time now.
        days: how long a run is kept after its end; None: for ever.
        runs: how many of the newest runs are kept; None: all.
    """
    found = []
    if days is not None:
        before = now - timedelta(days=days)
        found.append(Limits(created_before=before, ended_before=min(before, now - MIN_AGE)))
    if runs is not None and (oldest := _oldest_kept(connection, runs)):
        found.append(Limits(created_before=oldest, ended_before=now - MIN_AGE))
    # Of two rules, the one by which more runs are old.
    return max(found, key=lambda limit: limit.created_before, default=None)


def old_runs(old: Limits, limit: int | None = None) -> Select[Any]:
    """Return the query of the runs to delete, oldest first."""
    kept_member = exists().where(
        _MEMBER.suite_run_id == RunRow.suite_run_id,
        or_(_MEMBER.status.not_in(FINAL), _MEMBER.created_at >= old.created_before),
    )
    query = select(*_NEEDED).where(
        RunRow.created_at < old.created_before,
        RunRow.status.in_(FINAL),
        RunRow.finished_at < old.ended_before,
        or_(RunRow.suite_run_id.is_(None), ~kept_member),
    )
    return query.order_by(RunRow.created_at).limit(limit)


def delete_runs(connection: Connection, old: Limits, now: datetime, limit: int) -> int:
    """Delete at most `limit` runs, or a part of a large log; return 0 when nothing is left."""
    # A run that somebody changes now has its turn later.
    query = old_runs(old, limit).with_for_update(skip_locked=True)
    runs = _within_a_step(fetch_all(connection, query))
    if not runs:
        return 0
    if runs[0]["log_bytes"] > STEP_LOG_BYTES and _delete_log(connection, runs[0]):
        return 1
    tombstones = [
        {
            "id": run["id"],
            "cluster": run["cluster"],
            "k8s_ref_uid": run["k8s_ref_uid"],
            "deleted_at": now,
        }
        for run in runs
    ]
    connection.execute(insert(TombstoneRow), tombstones)
    seqs = [run["seq"] for run in runs]
    words = run_search.words_of(connection, seqs)
    connection.execute(delete(RunRow).where(RunRow.seq.in_(seqs)))
    run_search.remove_unused(connection, words)
    changes.record(connection, ChangeKind.DELETED, [run["id"] for run in runs], now)
    _delete_empty_suite_runs(connection, [run["suite_run_id"] for run in runs])
    return len(runs)


def delete_others(connection: Connection, now: datetime, days: float | None, limit: int) -> int:
    """Delete at most `limit` old rows of each other table; return how many were deleted.

    Args:
        connection: in a transaction.
        now: the time now.
        days: how long runs are kept; None: for ever.
        limit: at most this many rows of a table.
    """
    rules: list[tuple[Any, Any, Any, timedelta]] = [
        (TombstoneRow, TombstoneRow.id, TombstoneRow.deleted_at, TOMBSTONES),
        (
            IdempotencyKeyRow,
            tuple_(IdempotencyKeyRow.token_id, IdempotencyKeyRow.key),
            IdempotencyKeyRow.created_at,
            KEEP,
        ),
        (ControllerRow, ControllerRow.cluster, ControllerRow.seen_at, CONTROLLER_KEPT),
    ]
    if days is not None:
        rules.append((AuditRow, AuditRow.seq, AuditRow.at, max(AUDIT, timedelta(days=days))))
    deleted = changes.prune(connection, now - CHANGES, limit)
    for table, key, time, age in rules:
        columns = key.clauses if hasattr(key, "clauses") else (key,)
        oldest = select(*columns).where(time < now - age).order_by(time).limit(limit)
        deleted += connection.execute(delete(table).where(key.in_(oldest))).rowcount
    return deleted


def _oldest_kept(connection: Connection, runs: int) -> datetime | None:
    """Return the time of creation of the oldest of the newest runs; None if there are fewer."""
    last: tuple[Any, ...] | None = None
    while runs > 0:
        query = select(RunRow.created_at, RunRow.seq)
        if last is not None:
            query = query.where(tuple_(RunRow.created_at, RunRow.seq) < last)
        size = min(runs, COUNTED_AT_ONCE)
        page = query.order_by(RunRow.created_at.desc(), RunRow.seq.desc()).limit(size).subquery()
        # The last row of the page.
        found = connection.execute(
            select(page.c.created_at, page.c.seq, func.count().over())
            .order_by(page.c.created_at, page.c.seq)
            .limit(1)
        ).first()
        if found is None or found[2] < size:
            return None
        last, runs = (found[0], found[1]), runs - size
    return last[0] if last else None


def _within_a_step(runs: Sequence[Row]) -> list[Row]:
    """Return the first runs, whose logs are no more than a step deletes; at least one."""
    chosen: list[Row] = []
    size = 0
    for run in runs:
        size += run["log_bytes"]
        if chosen and size > STEP_LOG_BYTES:
            break
        chosen.append(run)
    return chosen


def _delete_log(connection: Connection, run: Row) -> bool:
    """Delete a part of the log; return False if that was the rest."""
    connection.execute(
        update(RunRow)
        .where(RunRow.seq == run["seq"])
        .values(log_state=LogState.NONE, log_reason=PRUNED)
    )
    of_run = LogChunkRow.run_seq == run["seq"]
    last = (
        select(LogChunkRow.container, LogChunkRow.start)
        .where(of_run)
        .order_by(LogChunkRow.container.desc(), LogChunkRow.start.desc())
        .limit(STEP_CHUNKS)
    )
    key = tuple_(LogChunkRow.container, LogChunkRow.start)
    deleted = connection.execute(delete(LogChunkRow).where(of_run, key.in_(last)))
    return deleted.rowcount == STEP_CHUNKS


def _delete_empty_suite_runs(connection: Connection, ids: Sequence[str | None]) -> None:
    found = {each for each in ids if each is not None}
    if found:
        member = exists().where(RunRow.suite_run_id == SuiteRunRow.id)
        connection.execute(delete(SuiteRunRow).where(SuiteRunRow.id.in_(found), ~member))
