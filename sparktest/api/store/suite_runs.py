"""Suite runs in the store, and the runs that belong to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sparktest.api.store.engine import Row, fetch_all, first
from sparktest.api.store.run_tables import RunRow
from sparktest.api.store.runs import COLUMNS as RUN_COLUMNS
from sparktest.api.store.runs import TEXT_COLUMNS
from sparktest.api.store.tables import SuiteRunRow

COLUMNS = tuple(SuiteRunRow.__table__.columns)
FILTER_COLUMNS = {
    "suite_id": SuiteRunRow.suite_id,
    "suite_name": SuiteRunRow.suite_name,
    "status": SuiteRunRow.status,
}


def page(
    connection: Connection, query: Mapping[str, Any], below: int | None, limit: int
) -> Sequence[Row]:
    """Return at most `limit` suite runs with `seq` below `below`, newest first.

    `query` has lists of values for the keys of FILTER_COLUMNS.
    """
    rows = select(*COLUMNS).order_by(SuiteRunRow.seq.desc()).limit(limit)
    for name, column in FILTER_COLUMNS.items():
        if query.get(name):
            rows = rows.where(column.in_(query[name]))
    if below is not None:
        rows = rows.where(SuiteRunRow.seq < below)
    return fetch_all(connection, rows)


def find(connection: Connection, suite_run_id: str, *, for_update: bool = False) -> Row | None:
    """Return the suite run, locked until the transaction ends if `for_update`, or None."""
    query = select(*COLUMNS).where(SuiteRunRow.id == suite_run_id)
    return first(connection, query.with_for_update() if for_update else query)


def runs_as_text(connection: Connection, suite_run_id: str) -> Sequence[Row]:
    """Return the runs in the order of the suite, with their JSON columns as text."""
    query = select(*TEXT_COLUMNS).where(RunRow.suite_run_id == suite_run_id)
    return fetch_all(connection, query.order_by(RunRow.seq))


def lock_runs(connection: Connection, suite_run_id: str) -> Sequence[Row]:
    """Return the runs that have not ended, in the order of the suite, locked."""
    query = select(*RUN_COLUMNS).where(
        RunRow.suite_run_id == suite_run_id, RunRow.finished_at.is_(None)
    )
    return fetch_all(connection, query.order_by(RunRow.seq).with_for_update())


def add(connection: Connection, suite_run: Mapping[str, Any]) -> None:
    """Store a new suite run."""
    connection.execute(insert(SuiteRunRow).values(**suite_run))


def change(connection: Connection, suite_run_id: str, columns: Mapping[str, Any]) -> None:
    """Set columns of the suite run, and its version."""
    connection.execute(
        update(SuiteRunRow)
        .where(SuiteRunRow.id == suite_run_id)
        .values(**columns, version=SuiteRunRow.version + 1)
    )
