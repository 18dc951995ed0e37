"""Definitions and executors in the store."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from sparktest.api.store.engine import Row, fetch_all, first
from sparktest.api.store.tables import DefinitionRow, ExecutorRow

COLUMNS = tuple(DefinitionRow.__table__.columns)


def page(connection: Connection, q: str | None, below: int | None, limit: int) -> Sequence[Row]:
    """Return at most `limit` definitions with `seq` below `below`, newest first.

    `q` is a part of the name.
    """
    query = select(*COLUMNS).order_by(DefinitionRow.seq.desc()).limit(limit)
    if q:
        query = query.where(func.lower(DefinitionRow.name).contains(q.lower(), autoescape=True))
    if below is not None:
        query = query.where(DefinitionRow.seq < below)
    return fetch_all(connection, query)


def find(connection: Connection, definition_id: str, *, for_update: bool = False) -> Row | None:
    """Return the definition, locked until the transaction ends if `for_update`, or None."""
    query = select(*COLUMNS).where(DefinitionRow.id == definition_id)
    return first(connection, query.with_for_update() if for_update else query)


def find_named(connection: Connection, name: str) -> Row | None:
    """Return the definition of this name, None if there is none."""
    return first(connection, select(*COLUMNS).where(DefinitionRow.name == name))


def find_executor(connection: Connection, executor_id: str) -> Row | None:
    """Return the executor, None if there is none."""
    query = select(*ExecutorRow.__table__.columns).where(ExecutorRow.id == executor_id)
    return first(connection, query)


def add(connection: Connection, definition: Mapping[str, Any]) -> None:
    """Store a new definition."""
    connection.execute(insert(DefinitionRow).values(**definition))


def change(connection: Connection, definition_id: str, columns: Mapping[str, Any]) -> None:
    """Set columns of the definition, which the caller has locked."""
    query = update(DefinitionRow).where(DefinitionRow.id == definition_id)
    connection.execute(query.values(**columns))


def remove(connection: Connection, definition_id: str) -> None:
    """Delete the definition, which the caller has locked."""
    connection.execute(delete(DefinitionRow).where(DefinitionRow.id == definition_id))
