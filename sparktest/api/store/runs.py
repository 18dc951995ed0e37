"""Runs in the store: find, add, change, delete one. Pages are in run_pages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    delete,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError

from sparktest.api.store.rows import Row, first
from sparktest.api.store.run_tables import RunLabelRow, RunRow, RunWordRow, TombstoneRow
from sparktest.api.store.types import Json
from sparktest.api.store.words import words
from sparktest.domain import Status

COLUMNS = tuple(RunRow.__table__.columns)
# For an answer: JSON stays the text that it is in the store, to be put in as it is.
DOCUMENT: tuple[ColumnElement[Any], ...] = tuple(
    type_coerce(column, Text).label(column.name) if isinstance(column.type, Json) else column
    for column in COLUMNS
)


def document(connection: Connection, run_id: str) -> Row | None:
    """The run with its JSON columns as text, for an answer."""
    return first(connection, select(*DOCUMENT).where(RunRow.id == run_id))


def find(connection: Connection, run_id: str) -> Row | None:
    """The run."""
    return first(connection, select(*COLUMNS).where(RunRow.id == run_id))


def lock(connection: Connection, run_id: str) -> Row | None:
    """The run, which nobody else changes before this transaction ends."""
    # SQLite leaves FOR UPDATE out: its writing transactions come one by one anyway.
    return first(connection, select(*COLUMNS).where(RunRow.id == run_id).with_for_update())


def status(connection: Connection, run_id: str) -> Status | None:
    """The status of the run, None where there is none."""
    found = connection.execute(select(RunRow.status).where(RunRow.id == run_id)).scalar()
    return Status(found) if found else None


def of_testrun(connection: Connection, cluster: str, uid: str) -> str | None:
    """The id of the run of a TestRun object."""
    query = select(RunRow.id).where(RunRow.cluster == cluster, RunRow.k8s_ref_uid == uid)
    return connection.execute(query).scalar()


def of_job(connection: Connection, job_name: str) -> Row | None:
    """The newest run whose Job has this name, with its JSON columns as text."""
    query = select(*DOCUMENT).where(RunRow.job_name == job_name)
    return first(connection, query.order_by(RunRow.seq.desc()).limit(1))


def add(connection: Connection, run: Mapping[str, Any]) -> bool:
    """Whether the run is new; False when its TestRun object has one already.

    Two controllers that register the same object at once both find none; the unique constraint
    decides, and the second waits here until the first has committed.
    """
    try:
        with connection.begin_nested():
            added = connection.execute(insert(RunRow).values(**run).returning(RunRow.seq))
            seq = added.scalar_one()
    except IntegrityError:
        if run.get("k8s_ref_uid") is None:
            raise
        return False
    found_by = words(run["id"][:8], run["name"], run["definition_name"], run.get("k8s_ref_name"))
    if found_by:
        rows = [{"word": word, "run_seq": seq} for word in sorted(found_by)]
        connection.execute(insert(RunWordRow), rows)
    if run["labels"]:
        pairs = run["labels"].items()
        rows = [{"key": key, "value": value, "run_seq": seq} for key, value in pairs]
        connection.execute(insert(RunLabelRow), rows)
    return True


def change(connection: Connection, run_id: str, columns: Mapping[str, Any], now: datetime) -> None:
    """Give the run new values."""
    connection.execute(
        update(RunRow)
        .where(RunRow.id == run_id)
        .values(**columns, updated_at=now, version=RunRow.version + 1)
    )


def remove(connection: Connection, run: Mapping[str, Any], now: datetime) -> None:
    """Delete the run with its log; a tombstone stays."""
    connection.execute(
        insert(TombstoneRow).values(
            id=run["id"], cluster=run["cluster"], k8s_ref_uid=run["k8s_ref_uid"], deleted_at=now
        )
    )
    connection.execute(delete(RunRow).where(RunRow.id == run["id"]))


def is_removed(connection: Connection, run_id: str) -> bool:
    """Whether there was a run of this id."""
    query = select(TombstoneRow.id).where(TombstoneRow.id == run_id)
    return connection.execute(query).scalar() is not None


def is_removed_of_testrun(connection: Connection, cluster: str, uid: str) -> bool:
    """Whether there was a run of this TestRun object."""
    query = select(TombstoneRow.id).where(
        TombstoneRow.cluster == cluster, TombstoneRow.k8s_ref_uid == uid
    )
    return connection.execute(query).scalar() is not None
