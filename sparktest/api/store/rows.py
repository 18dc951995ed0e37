"""What a query brings: rows that are read by the name of a column."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Select

Row = Mapping[str, Any]


def first(connection: Connection, query: Select[Any]) -> Row | None:
    """The first row, None where there is none."""
    return cast("Row | None", connection.execute(query).mappings().first())


def fetch_all(connection: Connection, query: Select[Any]) -> Sequence[Row]:
    """All rows."""
    return cast("Sequence[Row]", connection.execute(query).mappings().all())
