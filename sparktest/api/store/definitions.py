"""Definitions and executors in the store."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from sparktest.api.store.rows import Row, fetch_all, first
from sparktest.api.store.tables import DefinitionRow, ExecutorRow

COLUMNS = tuple(DefinitionRow.__table__.columns)


def page(connection: Connection, q: str | None, below: int | None, limit: int) -> Sequence[Row]:
    """At most `limit` definitions with a number below `below`, newest first; `q`: in the name."""
    found = select(*COLUMNS).order_by(DefinitionRow.seq.desc()).limit(limit)
    if q:
        found = found.where(func.lower(DefinitionRow.name).contains(q.lower(), autoescape=True))
    if below is not None:
        found = found.where(DefinitionRow.seq < below)
    return fetch_all(connection, found)


def find(connection: Connection, definition_id: str) -> Row | None:
    """The definition."""
    query = select(*COLUMNS).where(DefinitionRow.id == definition_id)
    return first(connection, query)


def named(connection: Connection, name: str) -> Sequence[Row]:
    """The definitions of this name: names need not be unique."""
    query = select(*COLUMNS).where(DefinitionRow.name == name).limit(3)
    return fetch_all(connection, query)


def executor(connection: Connection, executor_id: str) -> Row | None:
    """The executor."""
    query = select(*ExecutorRow.__table__.columns).where(ExecutorRow.id == executor_id)
    return first(connection, query)


def add(connection: Connection, definition: Mapping[str, Any]) -> None:
    """Store a new definition."""
    connection.execute(insert(DefinitionRow).values(**definition))


def replace(
    connection: Connection, definition_id: str, version: int, columns: Mapping[str, Any]
) -> bool:
    """Whether the definition has its new values; False when its version is another by now."""
    changed = connection.execute(
        update(DefinitionRow)
        .where(DefinitionRow.id == definition_id, DefinitionRow.version == version)
        .values(**columns, version=version + 1)
    )
    return changed.rowcount == 1


def remove(connection: Connection, definition_id: str, version: int) -> bool:
    """Whether the definition is deleted; False when its version is another by now."""
    removed = connection.execute(
        delete(DefinitionRow).where(
            DefinitionRow.id == definition_id, DefinitionRow.version == version
        )
    )
    return removed.rowcount == 1
