"""What an operator does with a whole database: sizes, a backup, deleting what is old."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, create_engine, func, inspect, select, table, text
from sqlalchemy.exc import DatabaseError

from sparktest.api.store import free_pages, migrate, retention
from sparktest.api.store.db_errors import map_db_errors
from sparktest.api.store.engine import (
    Store,
    engine_options,
    is_sqlite,
    missing_driver_as_error,
    parse_url,
)
from sparktest.api.store.run_tables import LogChunkRow
from sparktest.api.store.tables import REVISION
from sparktest.errors import ConflictError, InvalidError, UnavailableError

BACKUP_PAGES = 2000
ROWS = 100


class TableSize(NamedTuple):
    """The rows of a table, and the bytes on disk with its indexes; None where unknown."""

    table: str
    rows: int
    size: int | None


class Sizes(NamedTuple):
    """What takes how much room in a database, in bytes; `free` is part of `total`."""

    tables: list[TableSize]
    total: int
    free: int


class Pruned(NamedTuple):
    """Runs that are deleted, and the bytes of their logs as they are stored."""

    runs: int
    log_bytes: int


def sizes(database_url: str) -> Sizes:
    """Return the sizes of all tables, the largest first.

    Raises:
        InvalidError: the URL is wrong, or there is no such database.
        UnavailableError: the database does not answer.
    """
    with _open(database_url) as store, store.reading() as connection:
        measure = _sqlite_sizes if connection.dialect.name == "sqlite" else _postgres_sizes
        return measure(connection)


def prune(
    database_url: str, now: datetime, days: float | None, runs: int | None, *, dry_run: bool
) -> Pruned:
    """Delete old runs and other old rows, and give the room back; return what that is.

    Args:
        database_url: of a database whose schema is up to date.
        now: the time now.
        days: how long runs are kept; None: for ever.
        runs: how many of the newest runs are kept; None: all.
        dry_run: delete nothing.

    Raises:
        InvalidError: the URL is wrong, or the database is not up to date.
        UnavailableError: the database does not answer.
    """
    with _open(database_url) as store:
        if store.revision() != REVISION:
            raise InvalidError("the database is not up to date; run: sparktest db upgrade")
        with store.reading() as connection:
            old = retention.limits(connection, now, days, runs)
            if old is None:
                return Pruned(0, 0)
            found = _count(connection, old)
        if not dry_run:
            while store.write(lambda each: retention.delete_runs(each, old, now, ROWS)):
                pass
            while store.write(lambda each: retention.delete_others(each, now, days, ROWS)):
                pass
            while store.write(lambda each: free_pages.give_back(each, share=0)):
                pass
        return found


def backup(database_url: str, path: Path, progress: Callable[[int, int], None]) -> int:
    """Copy a SQLite database as it is now, while others read and write it; return its bytes.

    Args:
        database_url: of a SQLite database.
        path: of the new file, which only the user may read.
        progress: called with the pages that are left and the number of all pages.

    Raises:
        InvalidError: it is PostgreSQL, there is no such database, or the path cannot be written.
        ConflictError: the file exists.
        UnavailableError: the disk is full, or the database cannot be read.
    """
    url = parse_url(database_url)
    if not is_sqlite(url):
        raise InvalidError(
            "PostgreSQL has its own backup, which is consistent while the API serves: "
            f"pg_dump --format=custom --file={path} "
            f"--dbname={url._replace(password=None, drivername='postgresql')}"
        )
    _require_file(database_url)
    _create(path)
    try:
        _copy(Path(url.database or ""), path, progress)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error | OSError):
            raise UnavailableError(f"no backup was made: {error}") from error
        raise
    return path.stat().st_size


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise ConflictError(f"{path} exists; name a new file") from error
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    with (
        closing(sqlite3.connect(source, isolation_level=None)) as reader,
        closing(sqlite3.connect(target)) as writer,
    ):
        # The open transaction keeps the copy at one moment; without it, SQLite would begin again
        # after each write of another process.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM alembic_version").fetchone()
        reader.backup(
            writer, pages=BACKUP_PAGES, progress=lambda _, left, total: progress(left, total)
        )


def _count(connection: Connection, old: retention.Limits) -> Pruned:
    runs = retention.old_runs(old).order_by(None).subquery()
    stored = select(func.sum(func.length(LogChunkRow.data))).where(
        LogChunkRow.run_seq.in_(select(runs.c.seq))
    )
    count = connection.execute(select(func.count()).select_from(runs)).scalar_one()
    return Pruned(count, int(connection.execute(stored).scalar() or 0))


@contextmanager
def _open(database_url: str) -> Iterator[Store]:
    """Yield the store of a database that exists."""
    _require_file(database_url)
    url = parse_url(database_url)
    with missing_driver_as_error():
        store = Store(create_engine(url, **engine_options(url)))
    try:
        yield store
    finally:
        store.close()


def _require_file(database_url: str) -> None:
    """Raise InvalidError unless there is a database of SparkTest."""
    if not migrate.current(database_url):
        raise InvalidError("SPARKTEST_DATABASE_URL: there is no database; sparktest api makes it")


def _sqlite_sizes(connection: Connection) -> Sizes:
    page, pages, free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_size", "page_count", "freelist_count")
    )
    used: dict[str, int] = {}
    # Not every build of SQLite has it.
    with suppress(DatabaseError):
        rows = connection.exec_driver_sql(
            "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) "
            "WHERE aggregate = TRUE GROUP BY tbl_name"
        )
        used = {row[0]: row[1] for row in rows}
    tables = [TableSize(name, rows, used.get(name)) for name, rows in _rows(connection)]
    return Sizes(_sorted(tables), page * pages, page * free)


def _postgres_sizes(connection: Connection) -> Sizes:
    size = text("SELECT pg_total_relation_size(to_regclass(:name))")
    tables = [
        TableSize(name, rows, connection.execute(size, {"name": name}).scalar_one())
        for name, rows in _rows(connection)
    ]
    return Sizes(_sorted(tables), sum(each.size or 0 for each in tables), 0)


def _rows(connection: Connection) -> list[tuple[str, int]]:
    with map_db_errors():
        return [
            (name, connection.execute(select(func.count()).select_from(table(name))).scalar_one())
            for name in inspect(connection).get_table_names()
        ]


def _sorted(tables: list[TableSize]) -> list[TableSize]:
    return sorted(tables, key=lambda each: (-(each.size or 0), -each.rows, each.table))
