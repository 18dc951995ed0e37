"""The first responses to requests with an Idempotency-Key, kept for a day."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, delete, select

from sparktest.api.store.access_tables import IdempotencyKeyRow
from sparktest.api.store.engine import Row, dialect_insert, first

# After this time a key may be used again.
KEEP = timedelta(hours=24)

_KEYS = cast(Table, IdempotencyKeyRow.__table__)


def reserve(
    connection: Connection, token_id: str, key: str, fingerprint: str, now: datetime
) -> bool:
    """Return True when the key was not used; until the transaction ends, nobody else can use it.

    A concurrent request with the same key waits here until the transaction of the first has ended.
    """
    new = {"fingerprint": fingerprint, "status": 0, "headers": {}, "body": b"", "created_at": now}
    row = dialect_insert(connection, IdempotencyKeyRow).values(token_id=token_id, key=key, **new)
    row = row.on_conflict_do_update(
        index_elements=["token_id", "key"], set_=new, where=_KEYS.c.created_at <= now - KEEP
    )
    return connection.execute(row.returning(_KEYS.c.key)).first() is not None


def find(connection: Connection, token_id: str, key: str) -> Row | None:
    """Return the row of a key, None if there is none."""
    return first(connection, select(_KEYS).where(*_is(token_id, key)))


def keep(connection: Connection, token_id: str, key: str, response: Mapping[str, Any]) -> None:
    """Store the response, its `status`, `headers` and `body`, for a key that is reserved."""
    connection.execute(_KEYS.update().where(*_is(token_id, key)).values(**response))


def release(connection: Connection, token_id: str, key: str) -> None:
    """Let the key be used again."""
    connection.execute(delete(IdempotencyKeyRow).where(*_is(token_id, key)))


def _is(token_id: str, key: str) -> tuple[Any, Any]:
    return _KEYS.c.token_id == token_id, _KEYS.c.key == key
