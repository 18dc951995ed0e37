"""Group commit: one thread executes all writes of a process, many of them in one transaction.

A COMMIT waits for the disk. With one COMMIT for all works that wait, 32 clients wait once instead
of one after the other, and do not compete for SQLite's lock.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from sparktest.api.store import deferred
from sparktest.api.store.db_errors import (
    RETRY_AFTER_SECONDS,
    is_of_rows,
    is_repeatable,
    map_db_errors,
    unavailable,
)
from sparktest.errors import UnavailableError

# More than the threads of a server: a longer queue means that the database does not keep up.
MAX_WAITING = 256
MAX_WAIT_SECONDS = 10.0
MAX_BATCH = 64
# A batch holds its locks until its COMMIT, so slow works must not pile up in one.
MAX_BATCH_SECONDS = 0.05
# On PostgreSQL. Two processes whose batches lock the same rows in different order would wait for
# the deadlock timeout of one second; this is shorter, and more than a batch takes.
BATCH_LOCK_TIMEOUT_MILLISECONDS = 250
ATTEMPTS = 3

T = TypeVar("T")
Begin = Callable[[], AbstractContextManager[Connection]]

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """A work that waits for its transaction, with the context variables of its caller."""

    work: Callable[[Connection], Any]
    context: Context = field(default_factory=copy_context)
    answer: "Future[Any]" = field(default_factory=Future)
    # Of an execution that is not committed yet.
    result: Any = None
    error: BaseException | None = None

    def start(self) -> bool:
        """Return False when the caller no longer waits; after True, it waits for the answer."""
        return self.answer.set_running_or_notify_cancel()

    def run(self, connection: Connection) -> Any:
        """Return the result of the work."""
        return self.context.run(self.work, connection)

    def finish(self) -> None:
        """Give the result, or the error, to the caller."""
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class Writer:
    """The thread that writes, and the queue of works that wait for it.

    The thread starts with the first work, so that a process may fork before.

    Args:
        begin: opens a transaction, which is committed at the end of its block.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """Return the result of the work once its transaction is committed.

        Raises:
            UnavailableError: the database does not answer, or too many works wait; then this one
                is never executed.
            RuntimeError: it was called by a work.
        """
        if self.is_current_thread():
            raise RuntimeError("a work must not write in another transaction")
        job = Job(work)
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                raise _overloaded()
            self._waiting.append(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            return cast(T, job.answer.result(MAX_WAIT_SECONDS))
        except TimeoutError as error:
            if job.answer.cancel():
                raise _overloaded() from error
            # It is being executed, or the work itself has raised this error.
            return cast(T, job.answer.result())

    def is_current_thread(self) -> bool:
        """Return True in a work."""
        return threading.current_thread() is self._thread

    def waiting(self) -> int:
        """Return the number of works that wait."""
        return len(self._waiting)

    def close(self) -> None:
        """Execute what waits, and end the thread; a later work starts another one."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify()
        if thread is not None:
            thread.join()
        self._closing = False

    def _serve(self) -> None:
        while jobs := self._take():
            while jobs:
                if len(jobs) > 1:
                    _write_batch(self._begin, jobs)
                elif (job := jobs.popleft()).start():
                    _write_alone(self._begin, job)

    def _take(self) -> deque[Job]:
        """Wait for works and return them, at most MAX_BATCH; none when the writer is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                self._thread = None
            return deque(self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH)))


class _WorkFailedError(Exception):
    """A work of a batch without savepoints has raised an error."""


def _write_batch(begin: Begin, jobs: deque[Job]) -> None:
    """Execute as many works as fit into one transaction, and remove them from `jobs`."""
    batch: list[Job] = []
    try:
        _execute(begin, jobs, batch)
    except BaseException as error:  # noqa: BLE001 - the callers get it
        # A deferred row of one work must not fail the others.
        if is_repeatable(error) or is_of_rows(error):
            for job in batch:
                _write_alone(begin, job)
        else:
            _fail([*batch, *_started(jobs)], error)
        return
    for job in batch:
        job.finish()


def _execute(begin: Begin, jobs: deque[Job], batch: list[Job]) -> None:
    """Execute works in one transaction; move those that are executed from `jobs` to `batch`.

    Most works succeed, so the first attempt has no savepoints, which would cost a statement of each
    work. When one raises, all are executed again, with savepoints.
    """
    try:
        with _begin_batch(begin) as connection:
            for job in _started(jobs):
                batch.append(job)
                _run_without_savepoint(connection, job)
    except _WorkFailedError:
        with _begin_batch(begin) as connection:
            for job in list(batch):
                _run_in_savepoint(connection, job)
            for job in _started(jobs):
                batch.append(job)
                _run_in_savepoint(connection, job)


@contextmanager
def _begin_batch(begin: Begin) -> Iterator[Connection]:
    with begin() as connection:
        if connection.dialect.name == "postgresql":
            timeout = f"SET LOCAL lock_timeout = {BATCH_LOCK_TIMEOUT_MILLISECONDS}"
            connection.exec_driver_sql(timeout)
        yield connection


def _started(jobs: deque[Job]) -> Iterator[Job]:
    """Remove and yield works whose callers wait, until MAX_BATCH_SECONDS have passed."""
    end = time.monotonic() + MAX_BATCH_SECONDS
    while jobs:
        job = jobs.popleft()
        if job.start():
            yield job
        if time.monotonic() > end:
            return


def _run_without_savepoint(connection: Connection, job: Job) -> None:
    """Execute a work.

    Raises:
        _WorkFailedError: it has raised an error.
        SQLAlchemyError: the whole transaction is lost, or should be repeated.
    """
    try:
        job.result = job.run(connection)
        _check_usable(connection)
    except BaseException as error:
        if connection.invalidated or is_repeatable(error):
            raise
        raise _WorkFailedError from error


def _run_in_savepoint(connection: Connection, job: Job) -> None:
    """Execute a work; when it raises, undo what it has written and nothing else.

    Raises:
        SQLAlchemyError: the whole transaction is lost, or should be repeated.
    """
    job.result = None
    before = deferred.mark(connection)
    # Never released: the next one hides it, and the COMMIT ends them all.
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        with map_db_errors():
            job.result = job.run(connection)
        _check_usable(connection)
    except BaseException as error:
        cause = error.__cause__ or error
        if connection.invalidated or is_repeatable(cause):
            raise cause from error
        # Fails where the database has ended the transaction, such as SQLite on a full disk.
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT work")
        deferred.drop(connection, before)
        job.error = error


def _check_usable(connection: Connection) -> None:
    """Raise RuntimeError when the work has ignored an error that ended its transaction."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "postgresql":
        usable = driver.info.transaction_status.name == "INTRANS"
    else:
        usable = driver.in_transaction
    if not usable:
        raise RuntimeError("a work ignored an error of the database")


def _write_alone(begin: Begin, job: Job) -> None:
    """Execute a work in a transaction of its own; repeat it after a deadlock."""
    for attempt in range(1, ATTEMPTS + 1):
        job.result = job.error = None
        try:
            with map_db_errors(), begin() as connection:
                job.result = job.run(connection)
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            job.error = error
            if attempt < ATTEMPTS and is_repeatable(error.__cause__ or error):
                continue
        break
    job.finish()


def _fail(jobs: list[Job], error: BaseException) -> None:
    """Answer all works with UnavailableError: none of them was committed, as far as is known."""
    if isinstance(error, SQLAlchemyError):
        cause = getattr(error, "orig", None) or error
        log.warning("transaction failed error=%s", str(cause).strip().replace("\n", " "))
    else:
        log.error("transaction failed", exc_info=error)
    for job in jobs:
        # One for each caller: raising an error changes its traceback.
        job.error = unavailable()
        job.error.__cause__ = error
        job.finish()


def _overloaded() -> UnavailableError:
    return UnavailableError(
        "too many writes wait for the database; nothing was changed",
        retry_after=RETRY_AFTER_SECONDS,
    )
