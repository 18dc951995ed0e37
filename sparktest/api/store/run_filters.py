"""Filters of runs as SQL: which index finds their runs, and how a single run is checked."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from sparktest.api.store import run_search
from sparktest.api.store.filter_sql import Branch, Dialect, Filter, Sql, marks
from sparktest.label_selectors import Requirement

# Query field, column, and the index that returns the runs of a value by `seq`.
COLUMNS = {
    "suite_run_id": ("suite_run_id", "idx_test_runs_suite_run"),
    "schedule_id": ("schedule_id", "idx_test_runs_schedule"),
    "definition_id": ("test_definition_id", "idx_test_runs_definition"),
    "class_": ("failure_class", "idx_test_runs_failure_class"),
    "namespace": ("namespace", "idx_test_runs_namespace"),
    "status": ("status", "idx_test_runs_status"),
    "cluster": ("cluster", "idx_test_runs_cluster"),
    "origin": ("origin", "idx_test_runs_origin"),
}


def filters(connection: Connection, query: Mapping[str, Any], dialect: Dialect) -> list[Filter]:
    """Return the filters of a loaded RunQuerySchema, those that match fewest runs first."""
    found = [*_times(query, dialect)]
    for field, (column, index) in COLUMNS.items():
        if query.get(field):
            found.append(_column(column, index, tuple(dict.fromkeys(query[field]))))
    for selector in query.get("label") or ():
        found += [_label(requirement, dialect) for requirement in selector]
    if query.get("q") is not None:
        found += run_search.filters(connection, query["q"], dialect)
    if query.get("unblocked"):
        found.append(Filter(Sql("NOT r.blocked"), of_run=True))
    return found


def _column(column: str, index: str, values: tuple[str, ...]) -> Filter:
    check = Sql(f"r.{column} IN ({marks(values)})", values)
    branches = [
        Branch("test_runs", "seq", Sql(f"{column} = ?", (one,)), index, keys=(column,))
        for one in values
    ]
    return Filter(check, tuple(branches), of_run=True)


def _times(query: Mapping[str, Any], dialect: Dialect) -> Iterator[Filter]:
    if query.get("since"):
        yield Filter(Sql("r.created_at >= ?", (dialect.time(query["since"]),)), of_run=True)
    if query.get("until"):
        yield Filter(Sql("r.created_at < ?", (dialect.time(query["until"]),)), of_run=True)
    if query.get("updated_since"):
        updated = Sql("updated_at >= ?", (dialect.time(query["updated_since"]),))
        index = "idx_test_runs_updated"
        branch = Branch("test_runs", "seq", updated, index, ordered=False)
        yield Filter(Sql(f"r.{updated.text}", updated.params), (branch,), of_run=True)


def _label(requirement: Requirement, dialect: Dialect) -> Filter:
    table, key, values = "test_run_labels", requirement.key, requirement.values
    where = [Sql("key = ? AND value = ?", (key, value)) for value in values]
    where = where or [Sql("key = ?", (key,))]
    index = None if values else "idx_test_run_labels_key"
    keys = ("key", "value") if values else ("key",)
    branches = tuple(Branch(table, "run_seq", one, index, keys=keys) for one in where)
    wanted = Sql("l.key = ?", (key,))
    if values:
        wanted = Sql(f"l.key = ? AND l.value IN ({marks(values)})", (key, *values))
    check = f"EXISTS (SELECT 1 FROM {table} l WHERE l.run_seq = c.seq AND {wanted.text}"
    check += f"{dialect.fence})"
    if requirement.negated:
        return Filter(Sql(f"NOT {check}", wanted.params))
    return Filter(Sql(check, wanted.params), branches)
