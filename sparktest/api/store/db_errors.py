"""Errors of a database that cannot answer now, or that asks to repeat a transaction."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    TimeoutError,  # noqa: A004 - SQLAlchemy's own: no free connection in the pool
)

from sparktest.errors import UnavailableError

RETRY_AFTER_SECONDS = 2
# SQLSTATEs of PostgreSQL: serialization failure, deadlock, lock timeout. The same transaction may
# succeed when it is repeated.
REPEATABLE = frozenset({"40001", "40P01", "55P03"})

log = logging.getLogger(__name__)


@contextmanager
def map_db_errors() -> Iterator[None]:
    """Raise UnavailableError for the block's errors of a database that cannot answer now."""
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        log.warning("database unavailable error=%s", str(cause).strip().replace("\n", " "))
        raise unavailable() from error


def unavailable() -> UnavailableError:
    """Return the error for a request that the database could not answer."""
    return UnavailableError(
        "the database cannot answer now; see the log of the API", retry_after=RETRY_AFTER_SECONDS
    )


def is_repeatable(error: BaseException) -> bool:
    """Return True for an error of a transaction that waited for the locks of another one."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in REPEATABLE


def is_of_rows(error: BaseException) -> bool:
    """Return True for an error of the rows to store, such as a violated constraint."""
    return isinstance(error, DataError | IntegrityError)
