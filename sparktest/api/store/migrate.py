"""Bring a database up to date. Safe to call from every process that starts."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text

from sparktest.api.store.engine import (
    WRITES,
    ensure_sqlite_file,
    listen,
    map_db_errors,
    missing_driver_as_error,
    parse_url,
)
from sparktest.errors import SparkTestError

# Any number; every process that migrates this database takes the same lock.
LOCK = 7_201_116_320


def upgrade(database_url: str, revision: str = "head") -> str:
    """The revision the database has now, after all migrations up to `revision`.

    Two processes at once migrate once: the second waits and finds nothing to do. All or nothing:
    a migration that fails leaves the database as it was.

    Raises:
        InvalidError: the address is wrong, its place cannot be written, or a driver is missing.
        UnavailableError: the database does not answer.
    """
    return _migrate(database_url, command.upgrade, revision)


def downgrade(database_url: str, revision: str) -> str:
    """The revision the database has now, after going back; what the older schema lacks is lost."""
    return _migrate(database_url, command.downgrade, revision)


def current(database_url: str) -> str:
    """The revision the database has, empty where it has none; creates nothing."""
    url = parse_url(database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return ""
    with map_db_errors(), _engine(url) as engine, engine.connect() as connection:
        return _revision(connection)


def head() -> str:
    """The newest revision that this installation has migrations for."""
    with _config() as config:
        return ScriptDirectory.from_config(config).get_current_head() or ""


def _migrate(database_url: str, step: Callable[[Config, str], None], revision: str) -> str:
    url = parse_url(database_url)
    ensure_sqlite_file(url)
    with map_db_errors(), _alone(url), _engine(url) as engine, engine.connect() as connection:
        with connection.begin(), _config() as config:
            if not _sqlite(url):
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config.attributes["connection"] = connection
            step(config, revision)
            _check_foreign_keys(connection)
        return _revision(connection)


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    """An engine without a pool: what a migration sets on a connection ends with it."""
    with missing_driver_as_error():
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    listen(engine)
    if _sqlite(url):
        event.listen(engine, "connect", _set_up_migration)
    yield engine.execution_options(**{WRITES: True})
    engine.dispose()


def _set_up_migration(dbapi: Any, record: object) -> None:
    # A batch migration copies a table and drops the old one; with foreign keys on, the drop would
    # delete every child row. SQLite ignores this pragma inside a transaction.
    dbapi.execute("PRAGMA foreign_keys = OFF")
    dbapi.execute("PRAGMA journal_mode = WAL")


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    if orphans:
        raise SparkTestError(
            f"the migration would leave {len(orphans)} rows without the row they belong to; "
            "nothing was changed"
        )


@contextmanager
def _alone(url: URL) -> Iterator[None]:
    """No other process migrates this SQLite database now.

    BEGIN IMMEDIATE is not enough: SQLite turns on its write-ahead log outside of transactions,
    and fails at once when two try. The lock is on the folder, since whoever opens and closes the
    database file itself drops SQLite's own locks on it.
    """
    if not _sqlite(url):
        yield
        return
    folder = os.open(Path(url.database or "").parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _config() -> Iterator[Config]:
    with resources.as_file(resources.files("sparktest.migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        yield config


def _sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"
