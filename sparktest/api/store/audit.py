"""The audit in the store."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, insert, select

from sparktest.api.store.access_tables import AuditRow
from sparktest.api.store.bulk import insert_many
from sparktest.api.store.deferred import defer
from sparktest.api.store.engine import Row, fetch_all

COLUMNS = tuple(AuditRow.__table__.columns)
# Made once: every write of a client executes it.
ADD = insert(cast(Table, AuditRow.__table__))


def page(
    connection: Connection, query: Mapping[str, Any], below: int | None, limit: int
) -> Sequence[Row]:
    """Return at most `limit` entries with `seq` below `below`, newest first.

    Args:
        connection: for reading.
        query: a loaded AuditQuerySchema.
        below: None for the first page.
        limit: at most this many rows.
    """
    statement = select(*COLUMNS).order_by(AuditRow.seq.desc()).limit(limit)
    if below is not None:
        statement = statement.where(AuditRow.seq < below)
    for column, name in ((AuditRow.actor, "actor"), (AuditRow.object_id, "object_id")):
        if name in query:
            statement = statement.where(column == query[name])
    if "since" in query:
        statement = statement.where(AuditRow.at >= query["since"])
    if "until" in query:
        statement = statement.where(AuditRow.at < query["until"])
    return fetch_all(connection, statement)


def add(connection: Connection, entry: Mapping[str, Any]) -> None:
    """Store an entry at the end of the transaction."""
    defer(connection, _add_all, entry)


def _add_all(connection: Connection, entries: list[Mapping[str, Any]]) -> None:
    insert_many(connection, ADD, entries)
