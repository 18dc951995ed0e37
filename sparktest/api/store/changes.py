"""Changes of runs in the store: a row for each creation, change and deletion of a run.

A reader passes a position and reads what comes after it, so that it misses no change. Numbers of a
sequence are no such positions on PostgreSQL: they are taken before the COMMIT, so that a reader
could see 11, continue after it, and never see 10, which is committed later. Therefore a row also
has the number of its transaction, and readers see only rows of transactions older than all that
are still running. Writers wait for nothing; a lock until the COMMIT would let only one transaction
commit at a time. SQLite has one writer at a time, so there `seq` is the order of the commits.
"""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from typing import cast as cast_type

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Table,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    tuple_,
)

from sparktest.api.store.access_tables import ChangeRow
from sparktest.api.store.deferred import defer


class ChangeKind(StrEnum):
    """What happened to the run."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Position(NamedTuple):
    """A place in the order of the changes: that of the change with these numbers."""

    transaction: int
    seq: int


class Change(NamedTuple):
    """A change of a run."""

    position: Position
    run_id: str
    kind: ChangeKind


# Before every change.
START = Position(0, 0)
_ORDER = tuple_(ChangeRow.transaction_id, ChangeRow.seq)
# Built once: building a statement costs more than executing it.
_CHANGES = cast_type(Table, ChangeRow.__table__)
_ADD = {
    "sqlite": insert(_CHANGES).values(transaction_id=literal(0)),
    "postgresql": insert(_CHANGES).values(transaction_id=func.txid_current()),
}


def record(
    connection: Connection, kind: ChangeKind, run_ids: Collection[str], now: datetime
) -> None:
    """Store that these runs were created, updated or deleted, at the end of the transaction."""
    for run_id in run_ids:
        defer(connection, _add_all, {"at": now, "run_id": run_id, "kind": kind})


def _add_all(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(_ADD[connection.dialect.name], rows)


def read(connection: Connection, after: Position, limit: int) -> list[Change]:
    """Return at most `limit` of the changes after a position, oldest first."""
    rows = connection.execute(
        select(ChangeRow.transaction_id, ChangeRow.seq, ChangeRow.run_id, ChangeRow.kind)
        .where(tuple_(*after) < _ORDER, _is_settled(connection))
        .order_by(ChangeRow.transaction_id, ChangeRow.seq)
        .limit(limit)
    )
    return [
        Change(Position(row.transaction_id, row.seq), row.run_id, ChangeKind(row.kind))
        for row in rows
    ]


def newest(connection: Connection) -> Position:
    """Return the position of the newest change that can be read, START where there is none."""
    found = connection.execute(
        select(ChangeRow.transaction_id, ChangeRow.seq)
        .where(_is_settled(connection))
        .order_by(ChangeRow.transaction_id.desc(), ChangeRow.seq.desc())
        .limit(1)
    ).first()
    return Position(*found) if found else START


def are_waiting(connection: Connection) -> bool:
    """Return True when changes are committed that cannot be read before other transactions end."""
    if _is_sqlite(connection):
        return False
    query = select(ChangeRow.seq).where(~_is_settled(connection)).limit(1)
    return connection.execute(query).first() is not None


def is_kept(connection: Connection, position: Position) -> bool:
    """Return True when all changes after this position are in the table.

    False for a position that was pruned, and for one that this database never had (a client may
    have it from before the database was restored).
    """
    if position == START:
        # A rolled back transaction leaves a gap in the numbers: then this is False without need.
        oldest = connection.execute(select(func.min(ChangeRow.seq))).scalar()
        return oldest in (None, 1)
    query = select(ChangeRow.seq).where(
        ChangeRow.transaction_id == position.transaction,
        ChangeRow.seq == position.seq,
        _is_settled(connection),
    )
    return connection.execute(query).first() is not None


def prune(connection: Connection, before: datetime, limit: int) -> int:
    """Delete at most `limit` of the oldest changes before a time; return how many were deleted.

    The newest change always stays: its position is where new readers begin.
    """
    old = (
        select(ChangeRow.transaction_id, ChangeRow.seq)
        .where(ChangeRow.at < before, tuple_(*newest(connection)) > _ORDER)
        .order_by(ChangeRow.transaction_id.desc(), ChangeRow.seq.desc())
        .limit(1)
    )
    last = connection.execute(old).first()
    if last is None:
        return 0
    # By position, not by time: the times of two transactions may differ from their order.
    oldest = (
        select(ChangeRow.seq)
        .where(tuple_(*last) >= _ORDER)
        .order_by(ChangeRow.transaction_id, ChangeRow.seq)
        .limit(limit)
    )
    return connection.execute(delete(ChangeRow).where(ChangeRow.seq.in_(oldest))).rowcount


def _is_settled(connection: Connection) -> ColumnElement[bool]:
    """Return the condition that no older transaction can add a change any more."""
    if _is_sqlite(connection):
        return true()
    oldest_running = func.txid_snapshot_xmin(func.txid_current_snapshot())
    return cast(ChangeRow.transaction_id < oldest_running, Boolean)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"
