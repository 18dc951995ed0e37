"""Counts of runs by status, origin, cause of failure and namespace, at a bounded cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sparktest.api.store import run_pages
from sparktest.api.store.filter_sql import Dialect
from sparktest.api.store.run_tables import RunRow

# How many runs are counted at most, the newest ones.
MAX_COUNTED = 5000
BY = ("status", "origin", "failure_class", "namespace")


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the newest runs that pass the filters.

    Attributes:
        complete: all of them were counted.
        oldest: creation time of the oldest of those that were counted.
        by: for each column of `BY`, the number of runs of each value.
    """

    complete: bool
    oldest: datetime | None = None
    by: Mapping[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in BY})


def count(connection: Connection, query: Mapping[str, Any]) -> Counts:
    """Count the newest runs that pass the filters; `query` is a loaded RunFilterSchema."""
    found = run_pages.find(connection, query, None, MAX_COUNTED, MAX_COUNTED)
    counts = Counts(complete=found.next is None)
    if not found.seqs:
        return counts
    dialect = Dialect(connection.dialect.name)
    columns = ", ".join(BY)
    text = (
        f"SELECT count(*) AS runs, {columns} FROM test_runs "
        f"WHERE seq {dialect.in_numbers} GROUP BY {columns}"
    )
    rows = connection.exec_driver_sql(dialect.statement(text), (dialect.numbers(found.seqs),))
    for row in rows.mappings():
        for name in BY:
            if row[name] is not None:
                counts.by[name][row[name]] += row["runs"]
    oldest = select(RunRow.created_at).where(RunRow.seq == found.seqs[-1])
    return replace(counts, oldest=connection.execute(oldest).scalar())
