"""Tokens in the store."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, or_, select, update

from sparktest.api.store.access_tables import TokenRow
from sparktest.api.store.engine import Row, dialect_insert, fetch_all, first

COLUMNS = tuple(TokenRow.__table__.columns)


def page(connection: Connection, below: int | None, limit: int) -> Sequence[Row]:
    """Return at most `limit` tokens with `seq` below `below`, newest first."""
    query = select(*COLUMNS).order_by(TokenRow.seq.desc()).limit(limit)
    return fetch_all(connection, query if below is None else query.where(TokenRow.seq < below))


def find(connection: Connection, token_id: str) -> Row | None:
    """Return the token, None if there is none."""
    return first(connection, select(*COLUMNS).where(TokenRow.id == token_id))


def add(connection: Connection, token: Mapping[str, Any]) -> bool:
    """Store a new token; return False if there is one of this name."""
    row = dialect_insert(connection, TokenRow).values(**token)
    row = row.on_conflict_do_nothing(index_elements=["name"])
    return connection.execute(row.returning(TokenRow.seq)).scalar() is not None


def remove(connection: Connection, token_id: str) -> bool:
    """Delete the token; return False if there is none."""
    return connection.execute(delete(TokenRow).where(TokenRow.id == token_id)).rowcount > 0


def touch(connection: Connection, used: Mapping[str, datetime], interval: timedelta) -> None:
    """Store when tokens were last used, unless a time less than `interval` before is stored.

    The keys of `used` are ids in their hexadecimal form.
    """
    # In one order: transactions that lock the same rows in different orders block each other.
    for token_id, at in sorted(used.items()):
        stored = TokenRow.last_used_at
        query = update(TokenRow).where(
            TokenRow.id == str(UUID(token_id)), or_(stored.is_(None), stored < at - interval)
        )
        connection.execute(query.values(last_used_at=at))
