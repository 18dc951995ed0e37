"""Access to the database: `Store.reading` and `Store.write`, and helpers for statements."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, QueuePool, Select, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sparktest.api.store import deferred
from sparktest.api.store.db_errors import map_db_errors
from sparktest.api.store.writer import Writer
from sparktest.errors import InvalidError

POOL_SIZE = 16
POOL_TIMEOUT_SECONDS = 5
BUSY_TIMEOUT_MILLISECONDS = 10_000
# Execution option of engines whose transactions write.
WRITES = "sparktest_writes"
# Key in `Connection.info`: the topics to publish after the commit.
TOPICS = "sparktest_topics"
# Key in `Connection.info`: what to call after the commit.
AFTER_COMMIT = "sparktest_after_commit"
# Key in `Connection.info`: what was read once in this transaction.
KNOWN = "sparktest_known"

Row = Mapping[str, Any]
T = TypeVar("T")


class Store:
    """The open database of an application; threads may share it.

    Do not hold a connection while waiting for anything but the database: an open reader keeps
    SQLite from truncating its write-ahead log.
    """

    def __init__(self, engine: Engine) -> None:
        listen(engine)
        self.engine = engine
        # SQLite is in autocommit mode until a BEGIN is sent (see `listen`).
        sqlite_in_use = engine.dialect.name == "sqlite"
        autocommit = {} if sqlite_in_use else {"isolation_level": "AUTOCOMMIT"}
        self._reads = engine.execution_options(**autocommit)
        self._writes = engine.execution_options(**{WRITES: True})
        self._writer = Writer(self._transaction)
        # Called with the topics of `publish` after each commit; must be quick and must not raise.
        self.on_commit: Callable[[Collection[str]], None] = lambda topics: None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection on which each statement sees what was committed when it started.

        Raises:
            UnavailableError: the database does not answer, or all connections are in use.
        """
        with map_db_errors(), self._reads.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction and return its result once that is committed.

        Nothing is stored when `work` raises. It shares the transaction with the works of other
        threads, so it must be quick, and must send neither COMMIT nor ROLLBACK. It is executed
        again after a deadlock, so it must depend on nothing but the connection and the caller's
        context variables, which it has although another thread executes it.

        Raises:
            UnavailableError: the database does not answer, or too many works wait; the work was
                then not executed. After a lost connection it may have been.
        """
        return self._writer.run(work)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, which is committed at the end of the block.

        For work outside of requests, which use `write`.

        Raises:
            UnavailableError: the database does not answer, or is locked for too long.
        """
        if self._writer.is_current_thread():
            raise RuntimeError("a work must not write in another transaction")
        with map_db_errors(), self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._writes.begin() as connection:
            # Left over from a transaction that failed.
            deferred.drop(connection, {})
            connection.info.pop(TOPICS, None)
            connection.info.pop(AFTER_COMMIT, None)
            connection.info[KNOWN] = {}
            try:
                yield connection
                deferred.flush(connection)
            finally:
                del connection.info[KNOWN]
            topics = connection.info.pop(TOPICS, None)
            calls = connection.info.pop(AFTER_COMMIT, ())
        for call in calls:
            call()
        if topics:
            self.on_commit(topics)

    def writes_waiting(self) -> int:
        """Return the number of works that wait for their transaction."""
        return self._writer.waiting()

    def connections_in_use(self) -> int:
        """Return the number of connections of the pool that are in use."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def revision(self) -> str:
        """Return the revision of the database; raise UnavailableError when it does not answer."""
        # Without Alembic, which would double the memory of a worker.
        with self.reading() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version"))
            return str(found.scalar())

    def close(self) -> None:
        """Execute the works that wait, and close all connections; using it again opens new ones."""
        self._writer.close()
        self.engine.dispose()


def publish(connection: Connection, topic: str) -> None:
    """Wake whoever waits for this topic, once the transaction is committed."""
    connection.info.setdefault(TOPICS, set()).add(topic)


def after_commit(connection: Connection, call: Callable[[], None]) -> None:
    """Let `call` be called once the transaction is committed; it must be quick and must not raise.

    For functions that store deferred rows: what a work asks for is not undone with the work.
    """
    connection.info.setdefault(AFTER_COMMIT, []).append(call)


def read_once(connection: Connection, read: Callable[[Connection], T]) -> T:
    """Return what `read` returns; in a transaction, all its works share one call.

    A work that changes what is read must call `forget`.
    """
    known = connection.info.get(KNOWN)
    if known is None:
        return read(connection)
    if read not in known:
        known[read] = read(connection)
    return cast(T, known[read])


def forget(connection: Connection, read: Callable[[Connection], Any]) -> None:
    """Let the next `read_once` call `read` again."""
    connection.info.get(KNOWN, {}).pop(read, None)


def first(connection: Connection, query: Select[Any], **parameters: Any) -> Row | None:
    """Return the first row, None if there is none."""
    return cast("Row | None", connection.execute(query, parameters).mappings().first())


def fetch_all(connection: Connection, query: Select[Any]) -> Sequence[Row]:
    """Return all rows."""
    return cast("Sequence[Row]", connection.execute(query).mappings().all())


def dialect_insert(connection: Connection, table: type[Any]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that understands ON CONFLICT, for the connection's database."""
    sqlite_in_use = connection.dialect.name == "sqlite"
    return sqlite.insert(table) if sqlite_in_use else postgresql.insert(table)


def parse_url(database_url: str) -> URL:
    """Return the parsed database URL; its repr hides the password.

    Raises:
        InvalidError: it is not a URL of SQLite or PostgreSQL, or names a database in memory.
    """
    # Other programs that read DATABASE_URL accept the short scheme.
    if database_url.startswith("postgres://"):
        database_url = database_url.replace("postgres://", "postgresql://", 1)
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise InvalidError(_url_error("it cannot be read")) from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InvalidError(_url_error(f"{url.get_backend_name()} is not supported"))
    if is_sqlite(url):
        if url.database in (None, "", ":memory:"):
            raise InvalidError(_url_error("a database in memory forgets every run; name a file"))
        url = url.set(database=str(Path(url.database).expanduser().absolute()))
    return url


def is_sqlite(url: URL) -> bool:
    """Return True for a URL of SQLite, False for PostgreSQL."""
    return url.get_backend_name() == "sqlite"


def engine_options(url: URL) -> dict[str, Any]:
    """Return the options of an engine that serves requests."""
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": POOL_SIZE,
        "max_overflow": 0,
        "pool_timeout": POOL_TIMEOUT_SECONDS,
        # The connection used last has the pages and statements that the next one needs.
        "pool_use_lifo": True,
    }
    if not is_sqlite(url):
        # Keep the options of the URL (a search_path, for example): these would replace them.
        given = f"{url.query.get('options', '')} "
        options["connect_args"] = {
            "connect_timeout": POOL_TIMEOUT_SECONDS,
            "application_name": "sparktest",
            "options": f"{given}-c timezone=utc -c lock_timeout=5s -c statement_timeout=30s",
        }
    return options


@contextmanager
def missing_driver_as_error() -> Iterator[None]:
    """Raise InvalidError that names the extra to install where a driver is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidError(
            f"PostgreSQL needs the driver {error.name}: pip install 'sparktest[postgres]'"
        ) from error
    except NoSuchModuleError as error:
        raise InvalidError(_url_error("its driver is not known")) from error


def listen(engine: Engine) -> None:
    """Register the event handlers that SQLite connections need."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)


def ensure_sqlite_file(url: URL) -> None:
    """Create the directory (0700) and the file (0600) of a SQLite database if they do not exist.

    Raises:
        InvalidError: the path cannot be written.
    """
    if not is_sqlite(url):
        return
    path = Path(url.database or "")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise InvalidError(_url_error(f"{path}: {error.strerror}")) from error


def _set_up_sqlite(dbapi: Any, record: object) -> None:
    # None: the driver does not begin transactions by itself. Its own leave SELECTs outside, so
    # that two writers that read first would overwrite each other without an error.
    dbapi.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MILLISECONDS}",
        "foreign_keys = ON",
        # A commit survives a power cut, not only a crash of the process.
        "synchronous = FULL",
    ):
        dbapi.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE waits for the lock before the first read; a deferred transaction that goes from
    # reading to writing fails at once, regardless of busy_timeout.
    if connection.get_execution_options().get(WRITES):
        connection.execute(text("BEGIN IMMEDIATE"))


def _url_error(problem: str) -> str:
    return (
        f"SPARKTEST_DATABASE_URL: {problem}; use a URL such as sqlite:////path/to/file.db or "
        "postgresql://user@host/name"
    )
