"""Rows that are stored at the end of a transaction, together with those of its other works.

One statement for the rows of many works costs little more than one for those of a single work.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

# Key in `Connection.info`.
DEFERRED = "sparktest_deferred"

Insert = Callable[[Connection, list[Any]], None]
Mark = dict[Insert, int]


def defer(connection: Connection, insert: Insert, row: Any) -> None:
    """Let `insert` store this row, with others, before the transaction is committed.

    Until then nobody can read it. If `insert` violates a constraint, the works are executed again,
    each in a transaction of its own.
    """
    connection.info.setdefault(DEFERRED, {}).setdefault(insert, []).append(row)


def flush(connection: Connection) -> None:
    """Store all deferred rows, also those that are deferred meanwhile."""
    while deferred := connection.info.pop(DEFERRED, None):
        for insert, rows in deferred.items():
            if rows:
                insert(connection, rows)


def mark(connection: Connection) -> Mark:
    """Return how many rows are deferred now, for `drop`."""
    return {insert: len(rows) for insert, rows in connection.info.get(DEFERRED, {}).items()}


def drop(connection: Connection, since: Mark) -> None:
    """Forget the rows that were deferred since then; with an empty mark, all of them."""
    for insert, rows in connection.info.get(DEFERRED, {}).items():
        del rows[since.get(insert, 0) :]


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Undo what the block has stored, deferred rows too, when it raises."""
    before = mark(connection)
    try:
        with connection.begin_nested():
            yield
    except BaseException:
        drop(connection, before)
        raise
