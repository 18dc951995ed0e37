"""Changes of runs in the store: a row for each creation, change and deletion of a run.

A reader continues after the number of the last change that it has read. On PostgreSQL it could miss
changes: numbers are taken before the COMMIT, so it could see 11, continue after it, and never see
10, which is committed later. So it reads up to a number that `settle` returns: every transaction
that may have taken this number or a lower one has ended. Writers wait for nothing; with a lock
until the COMMIT, only one transaction could commit at a time. Transactions that record no changes
do not delay a reader, as they would with `pg_snapshot_xmin`. SQLite has one writer at a time.
"""

import logging
import time
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from sparktest.api.store.access_tables import ChangeRow
from sparktest.api.store.bulk import insert_many
from sparktest.api.store.deferred import defer
from sparktest.api.store.engine import after_commit, publish

# The topic that is published with every change; logs have the ids of their runs.
CHANGES = ""
# Before every change.
START = 0
SETTLE_POLL_SECONDS = 0.002
LAST_NUMBER = text(
    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM test_run_changes_seq_seq"
)
# An INSERT takes this lock on the table before it takes a number, and holds it until the
# transaction has ended and its rows can be read.
RECORDING = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = 'test_run_changes'::regclass AND mode = 'RowExclusiveLock'"
)


log = logging.getLogger(__name__)

# Built once: it is a part of most writes.
_RECORD = insert(cast(Table, ChangeRow.__table__))


class ChangeKind(StrEnum):
    """What happened to the run."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Change(NamedTuple):
    """A change of a run."""

    seq: int
    run_id: str
    kind: ChangeKind


def record(
    connection: Connection, kind: ChangeKind, run_ids: Collection[str], now: datetime
) -> None:
    """Store that these runs were created, updated or deleted, at the end of the transaction."""
    for run_id in run_ids:
        defer(connection, _add_all, {"at": now, "run_id": run_id, "kind": kind})


def _add_all(connection: Connection, rows: list[dict[str, Any]]) -> None:
    insert_many(connection, _RECORD, rows)
    publish(connection, CHANGES)
    created = [row["run_id"] for row in rows if row["kind"] == ChangeKind.CREATED]
    after_commit(connection, partial(_log_created, created))


def _log_created(run_ids: Collection[str]) -> None:
    for run_id in run_ids:
        log.info("run created run_id=%s", run_id)


def settle(connection: Connection, seconds: float) -> int | None:
    """Return a number up to which changes can be read, as high as possible.

    It waits for transactions that record changes now; after some seconds it returns None.

    Args:
        connection: of `Store.reading`: each statement must see what was committed before it.
        seconds: how long to wait.
    """
    if connection.dialect.name == "sqlite":
        return connection.execute(select(func.max(ChangeRow.seq))).scalar() or START
    end = time.monotonic() + seconds
    last = connection.execute(LAST_NUMBER).scalar_one()
    running = set(connection.execute(RECORDING).scalars())
    while running:
        if time.monotonic() > end:
            return None
        time.sleep(SETTLE_POLL_SECONDS)
        running.intersection_update(connection.execute(RECORDING).scalars().all())
    return int(last)


def read(connection: Connection, after: int, settled: int, limit: int) -> list[Change]:
    """Return at most `limit` of the changes after a number and up to a settled one, in order."""
    rows = connection.execute(
        select(ChangeRow.seq, ChangeRow.run_id, ChangeRow.kind)
        .where(ChangeRow.seq > after, ChangeRow.seq <= settled)
        .order_by(ChangeRow.seq)
        .limit(limit)
    )
    return [Change(row.seq, row.run_id, ChangeKind(row.kind)) for row in rows]


def newest(connection: Connection, settled: int) -> int:
    """Return the number of the newest settled change, START if there is none."""
    query = select(func.max(ChangeRow.seq)).where(ChangeRow.seq <= settled)
    return connection.execute(query).scalar() or START


def is_kept(connection: Connection, seq: int) -> bool:
    """Return True when all changes after this one are in the table.

    False for one that was pruned, and for one that this database never had (a client may have its
    number from before the database was restored).
    """
    if seq == START:
        # A rolled back transaction leaves a gap in the numbers: then this is False without need.
        return connection.execute(select(func.min(ChangeRow.seq))).scalar() in (None, START + 1)
    query = select(ChangeRow.seq).where(ChangeRow.seq == seq)
    return connection.execute(query).first() is not None


def prune(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` of the oldest changes before a time; return how many were deleted.

    The newest change always stays: its number is where new readers begin.
    """
    older = select(func.max(ChangeRow.seq)).where(
        ChangeRow.at < before, ChangeRow.seq < select(func.max(ChangeRow.seq)).scalar_subquery()
    )
    last = connection.execute(older).scalar()
    if last is None:
        return 0
    # By number, not by time: the times of two transactions may differ from their order.
    oldest = select(ChangeRow.seq).where(ChangeRow.seq <= last).order_by(ChangeRow.seq).limit(limit)
    return connection.execute(delete(ChangeRow).where(ChangeRow.seq.in_(oldest))).rowcount
