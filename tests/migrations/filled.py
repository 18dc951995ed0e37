"""Rows in every table of any revision, made from the columns that the database then has."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, insert, select
from sqlalchemy.types import Boolean, DateTime, Integer, LargeBinary

TIME = datetime(2026, 1, 1, tzinfo=UTC)
# What constraints ask for; every other text is made up.
VALUES = {
    "status": "succeeded",
    "log_state": "none",
    "origin": "api",
    "execution_mode": "parallel",
    "concurrency": "allow",
    "encoding": "identity",
}
NULL = {("test_schedules", "suite_id")}
TABLES_WITHOUT_DATA = {"alembic_version"}

Rows = dict[str, list[dict[str, Any]]]


def fill(connection: Connection, marker: str) -> None:
    """Insert a row into every table; rows of different markers do not conflict."""
    parents: dict[str, dict[str, Any]] = {}
    for table in _tables(connection):
        values = {column.name: _value(column, marker, parents) for column in table.columns}
        values = {name: value for name, value in values.items() if value is not None}
        inserted = connection.execute(insert(table).values(values).returning(*table.columns))
        parents[table.name] = dict(inserted.mappings().one())


def rows(connection: Connection) -> Rows:
    """Return all rows of all tables, in the order of their keys."""
    return {
        table.name: [
            dict(row)
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
        ]
        for table in _tables(connection)
    }


def common(before: Rows, after: Rows) -> tuple[Rows, Rows]:
    """Return both without the tables and columns that only one of them has."""
    shared = before.keys() & after.keys()
    first: Rows = {}
    second: Rows = {}
    for table in shared:
        columns = _columns(before[table]) & _columns(after[table])
        first[table] = [{name: row[name] for name in columns} for row in before[table]]
        second[table] = [{name: row[name] for name in columns} for row in after[table]]
    return first, second


def _columns(found: list[dict[str, Any]]) -> set[str]:
    return set().union(*(row.keys() for row in found))


def _tables(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name not in TABLES_WITHOUT_DATA]


def _value(column: Column[Any], marker: str, parents: dict[str, dict[str, Any]]) -> Any:
    if (column.table.name, column.name) in NULL or column.name == "seq":
        return None
    for key in column.foreign_keys:
        return parents[key.column.table.name][key.column.name]
    return _made_up(column, marker)


def _made_up(column: Column[Any], marker: str) -> Any:
    if isinstance(column.type, DateTime):
        return TIME
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, Integer):
        return 1
    if isinstance(column.type, LargeBinary):
        return b"bytes"
    if getattr(column.type, "length", None) == 36:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{column.table.name} {column.name} {marker}"))
    if column.name in VALUES:
        return VALUES[column.name]
    return f"{column.name} {marker}"[: getattr(column.type, "length", None)]
