"""Databases for tests: SQLite in a folder of the test, PostgreSQL where the machine has one."""

import shutil
from pathlib import Path

from sqlalchemy import create_engine, text

from sparktest.api.store import migrate
from sparktest.api.store.engine import parse_url
from sparktest.api.store.run_tables import RunRow
from sparktest.api.store.tables import REVISION
from tests.need import need_postgres

ENGINES = ("sqlite", "postgresql")


def empty(kind: str, folder: Path) -> str:
    """The URL of a database without a single table."""
    if kind == "sqlite":
        return f"sqlite:///{folder / 'empty.db'}"
    url = need_postgres()
    _execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url


def migrated(kind: str, folder: Path, template: Path) -> str:
    """The URL of a database with all tables, all empty; `template` is a migrated SQLite file."""
    if kind == "sqlite":
        copy = folder / "sparktest.db"
        shutil.copyfile(template, copy)
        return f"sqlite:///{copy}"
    url = need_postgres()
    if migrate.current(url) != REVISION:
        migrate.upgrade(empty(kind, folder))
    tables = ", ".join(RunRow.metadata.tables)
    _execute(url, f"TRUNCATE {tables} RESTART IDENTITY")
    return url


def _execute(url: str, *statements: str) -> None:
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
