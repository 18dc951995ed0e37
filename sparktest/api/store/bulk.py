"""Insert many rows of a table at once."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Insert, Row


def insert_many(
    connection: Connection,
    statement: Insert,
    rows: Sequence[Mapping[str, Any]],
    *,
    skip_conflicts: bool = False,
) -> None:
    """Insert rows that all have the same columns, in their order.

    On PostgreSQL they are one parameter of one statement: as JSON, which costs a fourth of a
    statement for each row.

    Args:
        connection: in a transaction.
        statement: inserts a row on SQLite, and names the table for PostgreSQL.
        rows: at least one; JSON columns are text.
        skip_conflicts: leave out rows that are there already; on SQLite the statement does it.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(statement, rows)
        return
    conflicts = " ON CONFLICT DO NOTHING" if skip_conflicts else ""
    sql = _recordset(statement.table.name, tuple(rows[0]))
    connection.exec_driver_sql(f"{sql}{conflicts}", _parameters(rows))


def insert_returning(
    connection: Connection, table: str, rows: Sequence[Mapping[str, Any]], columns: str
) -> Sequence[Row[Any]]:
    """Insert rows on PostgreSQL, and return columns of theirs, in no order."""
    sql = f"{_recordset(table, tuple(rows[0]))} RETURNING {columns}"
    return connection.exec_driver_sql(sql, _parameters(rows)).all()


def _parameters(rows: Sequence[Mapping[str, Any]]) -> tuple[str]:
    return (msgspec.json.encode(rows).decode(),)


@cache
def _recordset(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    # All names are of our own tables.
    return (
        f"INSERT INTO {table} ({names}) "  # noqa: S608
        f"SELECT {names} FROM json_populate_recordset(NULL::{table}, %s)"
    )
