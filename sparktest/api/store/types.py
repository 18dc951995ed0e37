"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, String, Text
from sqlalchemy.types import TypeDecorator

# SQLite numbers rows by itself only in a column that is an INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")
# Compared byte by byte on both, so that a prefix is a range of the index.
SearchTerm = String(64).with_variant(String(64, collation="C"), "postgresql")


class UtcTime(TypeDecorator[datetime]):
    """An aware time, stored and returned in UTC; a naive one is refused.

    SQLite keeps no zone: what was 12:00+02:00 would come back as a naive 12:00.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The aware time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON document as text; nothing filters inside of it, so it needs no type of the database.

    Python's None is NULL, never the JSON word null.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """The text of the document."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The document."""
        return None if value is None else msgspec.json.decode(value)
