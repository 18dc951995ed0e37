"""Runs in the store, and the heartbeats of the controllers that execute them.

Lists of runs are in run_pages.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    type_coerce,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from sparktest.api.store import changes, run_search
from sparktest.api.store.bulk import insert_many, insert_returning
from sparktest.api.store.changes import ChangeKind
from sparktest.api.store.deferred import defer
from sparktest.api.store.engine import Row, dialect_insert, fetch_all, first, forget, read_once
from sparktest.api.store.run_tables import RunLabelRow, RunRow, TombstoneRow
from sparktest.api.store.tables import ControllerRow, Json
from sparktest.domain import Status

CONTROLLER_KEPT = timedelta(days=1)
MAX_CONTROLLERS = 100
# How often a tombstone is renewed that clients ask for.
RENEWAL = timedelta(days=1)
COLUMNS = tuple(RunRow.__table__.columns)
JSON_COLUMNS = frozenset(column.name for column in COLUMNS if isinstance(column.type, Json))
# For answers: a JSON column is read as the text it is stored as, to be sent unchanged.
TEXT_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    type_coerce(column, Text).label(column.name) if column.name in JSON_COLUMNS else column
    for column in COLUMNS
)
# The values of columns that a new run does not give.
DEFAULTS: dict[str, Any] = {
    column.name: column.default.arg(None) if column.default.is_callable else column.default.arg
    for column in COLUMNS
    if column.default is not None
}
_EMPTY_ROW = {column.name: DEFAULTS.get(column.name) for column in COLUMNS if column.name != "seq"}
# Values in a condition IN.
MAX_IN = 500

# Statements are built once: building one costs more than executing it.
_RUNS = cast(Table, RunRow.__table__)
_FIND = select(*COLUMNS).where(_RUNS.c.id == bindparam("run_id"))
_FIND_LOCKED = _FIND.with_for_update()
_FIND_AS_TEXT = select(*TEXT_COLUMNS).where(_RUNS.c.id == bindparam("run_id"))
_NEW_ROW = {
    column: bindparam(column.name, type_=Text() if column.name in JSON_COLUMNS else column.type)
    for column in COLUMNS
    if column.name != "seq"
}
# An API run has no uid, and NULLs never conflict.
_ADD = {
    database.__name__.rpartition(".")[2]: database.insert(_RUNS)
    .values(_NEW_ROW)
    .on_conflict_do_nothing(index_elements=["cluster", "k8s_ref_uid"])
    .returning(_RUNS.c.seq)
    for database in (sqlite, postgresql)
}
_ADD_ALL = insert(_RUNS).values({_RUNS.c.seq: bindparam("seq"), **_NEW_ROW})
_ADD_LABELS = insert(cast(Table, RunLabelRow.__table__))
# SQLite has one writer at a time, so nobody else takes the next numbers. A table that was filled by
# a migration may have no entry in `sqlite_sequence`.
_LAST_SEQ = text(
    "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'test_runs'), 0), "
    "coalesce((SELECT max(seq) FROM test_runs), 0))"
)
_CHANGE = _RUNS.update().where(_RUNS.c.id == bindparam("run_id"))
_HEARTBEATS = select(*cast(Table, ControllerRow.__table__).columns)


def find_as_text(connection: Connection, run_id: str) -> Row | None:
    """Return the run with its JSON columns as text, None if there is none."""
    return first(connection, _FIND_AS_TEXT, run_id=run_id)


def find_many_as_text(connection: Connection, run_ids: Sequence[str]) -> Sequence[Row]:
    """Return those of the runs that exist, with their JSON columns as text."""
    return fetch_all(connection, select(*TEXT_COLUMNS).where(RunRow.id.in_(run_ids)))


def log_states(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Return the status of each run and the bytes of its logs."""
    states: dict[str, tuple[str, int]] = {}
    for at in range(0, len(run_ids), MAX_IN):
        query = select(RunRow.id, RunRow.status, RunRow.log_bytes)
        found = connection.execute(query.where(RunRow.id.in_(run_ids[at : at + MAX_IN])))
        states |= {row.id: (row.status, row.log_bytes) for row in found}
    return states


def find(connection: Connection, run_id: str, *, for_update: bool = False) -> Row | None:
    """Return the run, locked until the transaction ends if `for_update`; None if there is none."""
    # SQLite ignores FOR UPDATE: its writing transactions are serial anyway.
    return first(connection, _FIND_LOCKED if for_update else _FIND, run_id=run_id)


def status(connection: Connection, run_id: str) -> Status | None:
    """Return the status of the run, None if there is none."""
    found = connection.execute(select(RunRow.status).where(RunRow.id == run_id)).scalar()
    return Status(found) if found else None


def find_testrun(connection: Connection, cluster: str, uid: str) -> Row | None:
    """Return the run of a TestRun object with its JSON columns as text, None if there is none."""
    query = select(*TEXT_COLUMNS).where(RunRow.cluster == cluster, RunRow.k8s_ref_uid == uid)
    return first(connection, query)


def find_job(connection: Connection, job_name: str) -> Row | None:
    """Return the newest run whose Job has this name, None if there is none."""
    query = select(*COLUMNS).where(RunRow.job_name == job_name)
    return first(connection, query.order_by(RunRow.seq.desc()).limit(1))


def add(connection: Connection, run: Mapping[str, Any]) -> Row | None:
    """Store a new run and return its row, with JSON columns as text, as `find_as_text` does.

    Return None when its TestRun object has a run already. Two controllers that register the same
    object at once both find no run. The unique constraint decides: the second insert waits until
    the first has committed, and then inserts nothing.

    Raises:
        IntegrityError: any other constraint is violated.
    """
    row = _new_row(run)
    seq = connection.execute(_ADD[connection.dialect.name], row).scalar()
    if seq is None:
        return None
    _add_details(connection, [(seq, run)])
    return row | {"seq": seq}


def add_later(connection: Connection, run: Mapping[str, Any]) -> Row:
    """Store a new run at the end of the transaction; return its row, as `add` does, without `seq`.

    For a run without a TestRun object that no work of the transaction reads: the runs of all works
    are then stored in one statement.
    """
    row = _new_row(run)
    defer(connection, _add_all, (row, run))
    return row


def _new_row(run: Mapping[str, Any]) -> dict[str, Any]:
    return as_text(_EMPTY_ROW | _with_class(run))


def _add_all(connection: Connection, new: list[tuple[Row, Mapping[str, Any]]]) -> None:
    rows = [row for row, _ in new]
    if connection.dialect.name == "sqlite":
        first_seq = connection.execute(_LAST_SEQ).scalar_one() + 1
        seqs = {row["id"]: seq for seq, row in enumerate(rows, first_seq)}
        connection.execute(_ADD_ALL, [{**row, "seq": seqs[row["id"]]} for row in rows])
    else:
        added = insert_returning(connection, _RUNS.name, rows, "id, seq")
        seqs = {row.id: row.seq for row in added}
    _add_details(connection, [(seqs[run["id"]], run) for _, run in new])


def _add_details(connection: Connection, new: list[tuple[int, Mapping[str, Any]]]) -> None:
    """Store what is kept of new runs in other tables."""
    labels = [
        {"key": key, "value": value, "run_seq": seq}
        for seq, run in new
        for key, value in run["labels"].items()
    ]
    if labels:
        insert_many(connection, _ADD_LABELS, labels)
    for seq, run in new:
        for word in run_search.run_terms(run):
            defer(connection, run_search.add_words, (word, seq))
        changes.record(connection, ChangeKind.CREATED, [run["id"]], run["created_at"])


def as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a run with its JSON columns as the text that is stored."""
    texts = {
        name: msgspec.json.encode(row[name]).decode()
        for name in JSON_COLUMNS
        if row[name] is not None
    }
    return {**row, **texts}


def change(
    connection: Connection, run: Row, columns: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """Set columns of the run, which the caller has locked; return the row as it is then.

    Its version and `updated_at` change too.
    """
    changed = {**_with_class(columns), "updated_at": now, "version": run["version"] + 1}
    connection.execute(_CHANGE, {"run_id": run["id"], **changed})
    if columns.get("failure"):
        terms = run_search.failure_terms(columns["failure"])
        run_search.add_terms(connection, run["seq"], terms)
    changes.record(connection, ChangeKind.UPDATED, [run["id"]], now)
    return {**run, **changed}


def _with_class(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns with the one that filters by the class of the failure."""
    if "failure" not in columns:
        return dict(columns)
    failure = columns["failure"]
    return {**columns, "failure_class": failure["class"] if failure else None}


def count_by_status(connection: Connection) -> Mapping[Status, int]:
    """Return the number of runs of each status; it reads a whole index."""
    query = select(RunRow.status, func.count()).group_by(RunRow.status)
    counts = {Status(row[0]): int(row[1]) for row in connection.execute(query)}
    return {status: counts.get(status, 0) for status in Status}


def remove(connection: Connection, run: Mapping[str, Any], now: datetime) -> None:
    """Delete the run with its log, and add a tombstone."""
    connection.execute(
        insert(TombstoneRow).values(
            id=run["id"], cluster=run["cluster"], k8s_ref_uid=run["k8s_ref_uid"], deleted_at=now
        )
    )
    connection.execute(delete(RunRow).where(RunRow.id == run["id"]))
    changes.record(connection, ChangeKind.DELETED, [run["id"]], now)


def is_removed(connection: Connection, run_id: str) -> bool:
    """Return True when a run with this id was deleted."""
    query = select(TombstoneRow.id).where(TombstoneRow.id == run_id)
    return connection.execute(query).scalar() is not None


def removed_testrun(connection: Connection, cluster: str, uid: str) -> str | None:
    """Return the id of the deleted run of this TestRun object; None if none was deleted."""
    query = select(TombstoneRow.id).where(
        TombstoneRow.cluster == cluster, TombstoneRow.k8s_ref_uid == uid
    )
    return connection.execute(query).scalar()


def renew_tombstone(connection: Connection, run_id: str, now: datetime) -> None:
    """Store that a client asked for the deleted run, at most once a day.

    Tombstones are pruned by age; without one, the controller would register a TestRun object that
    is still there as a new run.
    """
    connection.execute(
        update(TombstoneRow)
        .where(TombstoneRow.id == run_id, TombstoneRow.deleted_at < now - RENEWAL)
        .values(deleted_at=now)
    )


def record_heartbeat(connection: Connection, cluster: str, now: datetime) -> None:
    """Store that the controller of the cluster sent a request now.

    Clusters without a heartbeat for a day are dropped, and all but the newest MAX_CONTROLLERS.
    """
    row = dialect_insert(connection, ControllerRow).values(cluster=cluster, seen_at=now)
    connection.execute(row.on_conflict_do_update(index_elements=["cluster"], set_={"seen_at": now}))
    newest = select(ControllerRow.cluster).order_by(ControllerRow.seen_at.desc())
    dropped = or_(
        ControllerRow.seen_at < now - CONTROLLER_KEPT,
        ControllerRow.cluster.not_in(newest.limit(MAX_CONTROLLERS)),
    )
    connection.execute(delete(ControllerRow).where(dropped))
    forget(connection, _read_heartbeats)


def heartbeats(connection: Connection) -> Mapping[str, datetime]:
    """Return the time of the last heartbeat of each cluster's controller."""
    return read_once(connection, _read_heartbeats)


def _read_heartbeats(connection: Connection) -> Mapping[str, datetime]:
    rows = connection.execute(_HEARTBEATS)
    return {row.cluster: row.seen_at for row in rows}
