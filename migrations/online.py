"""Schema changes that do not block the writers of a filled PostgreSQL database.

On PostgreSQL some of them commit what the migration has done before, and a process that is killed
leaves such a part behind. So every step of a migration that uses them must be repeatable: take its
columns and indexes from here, and create tables with `if_not_exists=True`. On SQLite a migration
is one transaction: nobody writes meanwhile, and nothing is left behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

BATCH_ROWS = 500


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column that is nullable or has a constant default; neither rewrites the table."""
    op.add_column(table, column, if_not_exists=_on_postgres() or None)


def drop_column(table: str, name: str) -> None:
    """Drop a column that no index uses."""
    op.drop_column(table, name, if_exists=_on_postgres() or None)


def create_index(
    name: str, table: str, columns: Sequence[str | sa.TextClause], **options: Any
) -> None:
    """Create an index while others write; `options` are those of `op.create_index`."""
    if not _on_postgres():
        op.create_index(name, table, columns, **options)
        return
    with without_transaction() as connection:
        # An interrupted CREATE INDEX CONCURRENTLY leaves an index that is never used.
        valid = connection.execute(
            sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"),
            {"name": name},
        ).scalar()
        if valid is False:
            op.drop_index(name, table, postgresql_concurrently=True)
        if not valid:
            op.create_index(name, table, columns, postgresql_concurrently=True, **options)


def drop_index(name: str, table: str) -> None:
    """Drop an index while others write."""
    if not _on_postgres():
        op.drop_index(name, table)
        return
    with without_transaction():
        op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)


def backfill(table: str, assignments: str, condition: str) -> None:
    """Set columns of the rows that meet the condition, in small transactions, in order of `seq`.

    A row that is done must no longer meet the condition, or get the same values again.
    """
    limits = sa.text(
        f"SELECT max(seq) FROM (SELECT seq FROM {table} WHERE seq > :after "  # noqa: S608
        "ORDER BY seq LIMIT :rows) AS batch"
    )
    update = sa.text(
        f"UPDATE {table} SET {assignments} "  # noqa: S608 - all three are literals of migrations
        f"WHERE seq > :after AND seq <= :last AND ({condition})"
    )
    with without_transaction() as connection:
        after = -1
        while True:
            batch = {"after": after, "rows": BATCH_ROWS}
            last = connection.execute(limits, batch).scalar()
            if last is None:
                return
            connection.execute(update, {"after": after, "last": last})
            after = last


def _on_postgres() -> bool:
    return bool(op.get_context().dialect.name == "postgresql")


@contextmanager
def without_transaction() -> Iterator[sa.Connection]:
    """Yield a connection on which PostgreSQL commits each statement; on SQLite, the usual one."""
    if not _on_postgres():
        yield op.get_bind()
        return
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        # These statements wait for transactions of others without blocking writers. The limit is
        # there so that the log of the API says what it waits for.
        connection.execute(sa.text("SET lock_timeout = '60s'"))
        yield connection
        connection.execute(sa.text("RESET lock_timeout"))
