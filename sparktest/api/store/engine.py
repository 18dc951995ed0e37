"""The store: one engine, two ways in. `reading` sees, `writing` is one transaction."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    TimeoutError,  # noqa: A004 - SQLAlchemy's own: no connection of the pool came free
)

from sparktest.errors import InvalidError, UnavailableError

POOL_SIZE = 16
POOL_SECONDS = 5
BUSY_MILLISECONDS = 10_000
RETRY_SECONDS = 2
WRITES = "sparktest_writes"

log = logging.getLogger(__name__)


class Store:
    """The open database of one application; threads may share it.

    Hold neither connection while waiting for anything but the database: one reader that waits
    keeps SQLite from shortening its write-ahead log.
    """

    def __init__(self, engine: Engine) -> None:
        listen(engine)
        self.engine = engine
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writes = engine.execution_options(**{WRITES: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which every statement sees what is committed when it starts.

        Raises:
            UnavailableError: the database does not answer, or all connections are taken.
        """
        # SQLite is in autocommit as long as nobody says BEGIN (see `listen`).
        engine = self.engine if self.sqlite else self._reads
        with map_db_errors(), engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction, committed at the end of the block.

        Raises:
            UnavailableError: the database does not answer, or somebody else writes for too long.
        """
        with map_db_errors(), self._writes.begin() as connection:
            yield connection

    def revision(self) -> str:
        """The revision the database has; raises UnavailableError when it does not answer."""
        # Not by alembic, which weighs as much as all the rest of a worker.
        with self.reading() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version"))
            return str(found.scalar())

    @property
    def sqlite(self) -> bool:
        """Whether this is SQLite: one writer at a time, one machine."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close all connections; the store opens new ones when it is used again."""
        self.engine.dispose()


@contextmanager
def map_db_errors() -> Iterator[None]:
    """A block in which a database that cannot answer now is an UnavailableError."""
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        log.warning("database unavailable error=%s", str(cause).strip().replace("\n", " "))
        raise UnavailableError(
            "the database cannot answer now; see the log of the API",
            retry_after=RETRY_SECONDS,
        ) from error


def parse_url(database_url: str) -> URL:
    """The address of the database; its repr hides the password.

    Raises:
        InvalidError: it is no address of SQLite or PostgreSQL, or of a database in memory.
    """
    # Other programs that share DATABASE_URL write the short scheme.
    if database_url.startswith("postgres://"):
        database_url = database_url.replace("postgres://", "postgresql://", 1)
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise InvalidError(_address("it cannot be read")) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InvalidError(_address(f"{url.get_backend_name()} is not supported"))
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise InvalidError(_address("a database in memory forgets every run; name a file"))
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(Path(url.database or "").expanduser().absolute()))
    return url


def engine_options(url: URL) -> dict[str, Any]:
    """The options of an engine that serves requests."""
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": POOL_SECONDS,
    }
    if url.get_backend_name() == "postgresql":
        # What the address says (a search_path, say) would be lost to what is said here.
        given = f"{url.query.get('options', '')} "
        options["connect_args"] = {
            "connect_timeout": POOL_SECONDS,
            "application_name": "sparktest",
            "options": f"{given}-c timezone=utc -c lock_timeout=5s -c statement_timeout=30s",
        }
    return options


@contextmanager
def missing_driver_as_error() -> Iterator[None]:
    """A block in which a missing driver is an InvalidError that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"PostgreSQL needs the driver {error.name}: pip install 'sparktest[postgres]'"
        ) from error
    except NoSuchModuleError as error:
        raise InvalidError(_address("its driver is not known")) from error


def listen(engine: Engine) -> None:
    """Make the engine set up its SQLite connections; PostgreSQL's need nothing."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def ensure_sqlite_file(url: URL) -> None:
    """Create the folder (0700) and the file (0600) of a SQLite database where they lack.

    Raises:
        InvalidError: the place cannot be written.
    """
    if url.get_backend_name() != "sqlite":
        return
    path = Path(url.database or "")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise InvalidError(_address(f"{path}: {error.strerror}")) from error


def _set_up_sqlite(dbapi: Any, record: object) -> None:
    # None: the driver begins nothing by itself. Its own transactions leave SELECTs outside,
    # and two writers that read first then overwrite each other without an error.
    dbapi.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "foreign_keys = ON",
        "synchronous = NORMAL",
    ):
        dbapi.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE waits for the lock before the first read; a deferred transaction that turns from
    # reading to writing fails at once, whatever busy_timeout says.
    if connection.get_execution_options().get(WRITES):
        connection.execute(text("BEGIN IMMEDIATE"))


def _address(problem: str) -> str:
    return (
        f"SPARKTEST_DATABASE_URL: {problem}; it looks like sqlite:////path/to/file.db or "
        "postgresql://user@host/name"
    )
