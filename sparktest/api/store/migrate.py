"""Migrate a database. Every process may call it when it starts."""

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
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DatabaseError

from sparktest.api.store.db_errors import map_db_errors
from sparktest.api.store.engine import (
    WRITES,
    ensure_sqlite_file,
    is_sqlite,
    listen,
    missing_driver_as_error,
    parse_url,
)
from sparktest.errors import InvalidError, SparkTestError

# Key of the advisory lock that every migrating process takes on PostgreSQL.
LOCK = 7_201_116_320


def upgrade(database_url: str, revision: str = "head") -> str:
    """Run all migrations up to `revision`; return the revision that the database then has.

    Of two processes at once, the second waits and finds nothing to do. A failed migration
    changes nothing.

    Raises:
        InvalidError: the URL is wrong, its path cannot be written, a driver is missing, or the
            database belongs to a newer version or to another program.
        UnavailableError: the database does not answer.
    """
    return _migrate(database_url, command.upgrade, revision)


def downgrade(database_url: str, revision: str) -> str:
    """Undo migrations down to `revision`; data that the older schema cannot hold is lost."""
    return _migrate(database_url, command.downgrade, revision)


def current(database_url: str) -> str:
    """Return the revision of the database, empty where it has none; create nothing."""
    url = parse_url(database_url)
    if is_sqlite(url) and not Path(url.database or "").exists():
        return ""
    with _map_errors(), _engine(url) as engine, engine.connect() as connection:
        return _revision(connection)


def _migrate(database_url: str, step: Callable[[Config, str], None], revision: str) -> str:
    url = parse_url(database_url)
    ensure_sqlite_file(url)
    with _map_errors(), _exclusive(url), _engine(url) as engine, engine.connect() as connection:
        with connection.begin(), _config() as config:
            if not is_sqlite(url):
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config.attributes["connection"] = connection
            step(config, revision)
            _check_foreign_keys(connection)
        return _revision(connection)


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    """Yield an engine without a pool, so that settings of a connection end with it."""
    with missing_driver_as_error():
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    listen(engine)
    if is_sqlite(url):
        event.listen(engine, "connect", _set_up_migration)
    yield engine.execution_options(**{WRITES: True})
    engine.dispose()


def _set_up_migration(dbapi: Any, record: object) -> None:
    # A batch migration copies a table and drops the old one; with foreign keys enabled, the drop
    # would delete every child row. SQLite ignores this pragma inside a transaction.
    dbapi.execute("PRAGMA foreign_keys = OFF")
    dbapi.execute("PRAGMA journal_mode = WAL")


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    if orphans:
        raise SparkTestError(
            f"the migration would leave {len(orphans)} rows without their parent row; "
            "nothing was changed"
        )


@contextmanager
def _exclusive(url: URL) -> Iterator[None]:
    """Hold a lock against other processes that migrate this SQLite database.

    BEGIN IMMEDIATE is not enough: SQLite switches to its write-ahead log outside of transactions,
    and fails at once when two processes try. The lock is on the directory, because closing the
    database file itself would drop SQLite's own locks on it.
    """
    if not is_sqlite(url):
        yield
        return
    folder = os.open(Path(url.database or "").parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _map_errors() -> Iterator[None]:
    """Raise InvalidError for a database that is newer than this code or is no database."""
    try:
        with map_db_errors():
            yield
    except CommandError as error:
        raise InvalidError(
            f"SPARKTEST_DATABASE_URL: the database belongs to a newer SparkTest ({error}); "
            "install that version"
        ) from error
    except DatabaseError as error:
        if "not a database" not in str(error.orig):
            raise
        raise InvalidError(f"SPARKTEST_DATABASE_URL: {error.orig}") from error


@contextmanager
def _config() -> Iterator[Config]:
    with resources.as_file(resources.files("sparktest.migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        yield config
