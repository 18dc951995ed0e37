"""Migrate a database. Every process may call it when it starts."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from sparktest.api.store.db_errors import is_repeatable, map_db_errors
from sparktest.api.store.engine import (
    WRITES,
    ensure_sqlite_file,
    is_sqlite,
    listen,
    missing_driver_as_error,
    parse_url,
)
from sparktest.backoff import Backoff
from sparktest.errors import InvalidError, SparkTestError, UnavailableError

# First key of the advisory lock of migrating processes on PostgreSQL; the second is the schema.
LOCK = 720_111_632
# A statement that waits for the lock of a whole table makes all writers wait behind it.
LOCK_TIMEOUT_MILLISECONDS = 50
LOCK_BACKOFF = Backoff(first=0.1, cap=2.0)
LOCK_ATTEMPTS = 60
TURN_BACKOFF = Backoff(first=0.1, cap=0.5)
BASE = "base"

log = logging.getLogger(__name__)


def upgrade(database_url: str, revision: str = "head") -> str:
    """Run all migrations up to `revision`; return the revision that the database then has.

    Of two processes at once, the second waits and finds nothing to do. On SQLite a failure changes
    nothing. On PostgreSQL the migrations before the failed one stay, and the failed one is
    completed by the next call: it may have changed something, but nothing that the code that
    served until then would notice.

    Raises:
        InvalidError: the URL is wrong, its path cannot be written, a driver is missing, or the
            database belongs to a newer version or to another program.
        UnavailableError: the database does not answer, or a table stays locked.
    """
    return _migrate(database_url, command.upgrade, revision)


def downgrade(database_url: str, revision: str) -> str:
    """Undo the migrations after `revision`; data that the older schema cannot hold is lost.

    Raises:
        InvalidError: there is no such revision, or the database is older.
    """
    known = _known_revisions()
    if revision not in known:
        raise InvalidError(f"there is no revision {revision!r}; use one of: {', '.join(known)}")
    before = current(database_url)
    if before in known and known.index(before) < known.index(revision):
        raise InvalidError(f"the database is at revision {before}, which is before {revision}")
    return _migrate(database_url, command.downgrade, revision)


def current(database_url: str) -> str:
    """Return the revision of the database, empty where it has none; create nothing."""
    url = parse_url(database_url)
    if is_sqlite(url) and not Path(url.database or "").exists():
        return ""
    with _map_errors(), _engine(url) as engine, engine.connect() as connection:
        return _revision(connection)


def _known_revisions() -> list[str]:
    """Return all revisions, oldest first."""
    with _config() as config:
        scripts = ScriptDirectory.from_config(config).walk_revisions()
        return [BASE, *reversed([script.revision for script in scripts])]


def _migrate(database_url: str, step: Callable[[Config, str], None], revision: str) -> str:
    url = parse_url(database_url)
    ensure_sqlite_file(url)
    run = _migrate_sqlite if is_sqlite(url) else _migrate_postgres
    with _map_errors(), _config() as config:
        return run(url, config, lambda: step(config, revision))


def _migrate_sqlite(url: URL, config: Config, run: Callable[[], None]) -> str:
    with _exclusive_folder(url), _engine(url) as engine, engine.connect() as connection:
        with connection.begin():
            config.attributes["connection"] = connection
            run()
            _check_foreign_keys(connection)
        return _revision(connection)


def _migrate_postgres(url: URL, config: Config, run: Callable[[], None]) -> str:
    with _engine(url) as engine:
        for failures in range(LOCK_ATTEMPTS):
            try:
                with _advisory_lock(engine), engine.connect() as connection:
                    config.attributes["connection"] = connection
                    run()
                    return _revision(connection)
            except OperationalError as error:
                if not is_repeatable(error):
                    raise
                log.warning("a table is locked; the migration is repeated error=%s", error.orig)
            time.sleep(LOCK_BACKOFF.delay(failures))
    raise UnavailableError(
        "the database cannot be migrated: a long transaction of another program locks a table; "
        "find it in pg_stat_activity, end it, and try again"
    )


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


@contextmanager
def _engine(url: URL) -> Iterator[Engine]:
    """Yield an engine without a pool, so that settings of a connection end with it."""
    options: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True}
    if not is_sqlite(url):
        given = f"{url.query.get('options', '')} "
        lock_timeout = f"-c lock_timeout={LOCK_TIMEOUT_MILLISECONDS}ms"
        options["connect_args"] = {"options": given + lock_timeout}
    with missing_driver_as_error():
        engine = create_engine(url, **options)
    listen(engine)
    if is_sqlite(url):
        event.listen(engine, "connect", _set_up_migration)
    yield engine.execution_options(**{WRITES: True})
    engine.dispose()


def _set_up_migration(dbapi: Any, record: object) -> None:
    # A batch migration copies a table and drops the old one; with foreign keys enabled, the drop
    # would delete every child row. SQLite ignores this pragma inside a transaction.
    dbapi.execute("PRAGMA foreign_keys = OFF")
    # Of a new file only; it lets `free_pages` give back what was deleted.
    dbapi.execute("PRAGMA auto_vacuum = INCREMENTAL")
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
def _exclusive_folder(url: URL) -> Iterator[None]:
    """Hold a lock against other processes that migrate this SQLite database.

    BEGIN IMMEDIATE is not enough: SQLite switches to its write-ahead log outside of transactions,
    and fails at once when two processes try. The lock is on the directory, because closing the
    database file itself would drop SQLite's own locks on it.
    """
    folder = os.open(Path(url.database or "").parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    """Hold a lock against other processes that migrate this PostgreSQL database.

    A connection of its own holds it, because a migration ends its transactions. Waiting inside of
    PostgreSQL would never end: CREATE INDEX CONCURRENTLY waits for every open statement, also for
    one that waits for this lock.
    """
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection:
        attempt = text(f"SELECT pg_try_advisory_lock({LOCK}, hashtext(current_schema()))")
        for failures in count():
            if connection.execute(attempt).scalar():
                break
            time.sleep(TURN_BACKOFF.delay(failures))
        # The end of the connection ends the lock.
        yield


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
        raise InvalidError(
            f"SPARKTEST_DATABASE_URL: {error.orig}; name another file, or move this one away"
        ) from error


@contextmanager
def _config() -> Iterator[Config]:
    with resources.as_file(resources.files("sparktest.migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        yield config
