"""Databases for tests: SQLite in a temporary directory, and PostgreSQL where available."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, delete, event, make_url, text

from sparktest.api.store import Store
from sparktest.api.store.engine import parse_url
from sparktest.api.store.run_tables import RunRow
from tests.requirements import require_postgres

ENGINES = ("sqlite", "postgresql")


@contextmanager
def empty(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a database without tables; on PostgreSQL, of a new schema."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
        return
    server = make_url(require_postgres())
    schema = f"test_{uuid.uuid4().hex[:12]}"
    _execute(server.render_as_string(hide_password=False), f"CREATE SCHEMA {schema}")
    url = server.update_query_dict({"options": f"-csearch_path={schema}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        _execute(server.render_as_string(hide_password=False), f"DROP SCHEMA {schema} CASCADE")


def clear(store: Store) -> None:
    """Delete all rows."""
    with store.writing() as connection:
        for table in reversed(RunRow.metadata.sorted_tables):
            connection.execute(delete(table))


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Collect the statements that the block sends."""
    sent: list[str] = []

    def record(connection: object, cursor: object, statement: str, *rest: object) -> None:
        sent.append(statement)

    event.listen(store.engine, "before_cursor_execute", record)
    try:
        yield sent
    finally:
        event.remove(store.engine, "before_cursor_execute", record)


def _execute(url: str, statement: str) -> None:
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
