"""Pages of runs, newest first, at a bounded cost.

A filter of which an index knows the runs begins the search; the others are checked for each of
these runs. Of several, the one is taken that has the fewest runs, as far as `BUDGET` entries of
each index tell. No statement checks more than `BUDGET` runs: a page may end early, with the number
of the run below which the next page goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from sparktest.api.store import run_documents, run_filters
from sparktest.api.store.engine import Row, fetch_all
from sparktest.api.store.filter_sql import NOTHING, Branch, Dialect, Filter, Sql, marks
from sparktest.api.store.run_tables import RunRow
from sparktest.api.store.runs import TEXT_COLUMNS

# How many runs a page checks at most.
BUDGET = 1000
MAX_CLOCK_SKEW = timedelta(hours=1)
MIN_TIME = datetime.min.replace(tzinfo=UTC) + MAX_CLOCK_SKEW
MAX_TIME = datetime.max.replace(tzinfo=UTC) - MAX_CLOCK_SKEW
# Above every number of a run.
END = 2**63 - 1
ALL = Branch("test_runs", "seq", Sql("1 = 1"))


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers of the runs of a page, newest first.

    Attributes:
        seqs: the numbers.
        next: the next page has the runs below this number; None at the end.
    """

    seqs: Sequence[int]
    next: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `low` up to, not including, `below`."""

    low: int
    below: int


def page(
    connection: Connection, query: Mapping[str, Any], below: int | None, limit: int, now: datetime
) -> tuple[bytes | str | None, int | None]:
    """Return a page as JSON, and below which number the next one begins, None at the end.

    The text is None where `serializers` must make the documents: see `run_documents`.
    """
    if _is_filtered(query):
        found = find(connection, query, below, limit)
        return run_documents.of_numbers(connection, found.seqs, now), found.next
    newest = run_documents.newest(connection, below or END, limit, now)
    return newest.text, newest.oldest if newest.more else None


def _is_filtered(query: Mapping[str, Any]) -> bool:
    """Return True when the query names a filter."""
    return any(value for name, value in query.items() if name not in ("limit", "cursor")) or (
        query.get("q") is not None
    )


def rows(connection: Connection, seqs: Sequence[int]) -> Sequence[Row]:
    """Return the runs with these numbers, newest first, with their JSON columns as text."""
    query = select(*TEXT_COLUMNS).where(RunRow.seq.in_(seqs))
    return fetch_all(connection, query.order_by(RunRow.seq.desc()))


def find(
    connection: Connection,
    query: Mapping[str, Any],
    below: int | None,
    limit: int,
    budget: int | None = None,
) -> Found:
    """Return the numbers of at most `limit` runs below `below`.

    Args:
        connection: to the database.
        query: a loaded RunQuerySchema.
        below: the page begins below this number; None for the first page.
        limit: the size of a page.
        budget: how many runs are checked at most; `BUDGET` by default.
    """
    dialect = Dialect(connection.dialect.name)
    filters = run_filters.filters(connection, query, dialect)
    span = _span(connection, query, below or END, dialect)
    if NOTHING in filters:
        return Found(())
    first, low = _choose(connection, filters, span, dialect, budget or BUDGET)
    checks = [one for one in filters if one is not first]
    branches = first.branches if first else (ALL,)
    parts = [
        _branch(branch, checks, Range(low, span.below), limit + 1, dialect) for branch in branches
    ]
    seqs = sorted(set(_scalars(connection, parts, dialect)), reverse=True)
    if len(seqs) > limit:
        return Found(seqs[:limit], seqs[limit - 1])
    return Found(seqs, low if low > span.low else None)


def _choose(
    connection: Connection, filters: Sequence[Filter], span: Range, dialect: Dialect, budget: int
) -> tuple[Filter | None, int]:
    """Return the filter to begin with, and the lowest number to look at."""
    candidates = [one for one in filters if one.branches]
    if len(candidates) == 1 == len(filters) and all(one.ordered for one in candidates[0].branches):
        return candidates[0], span.low
    if not filters:
        return None, span.low
    choices = [*candidates, Filter(Sql("1 = 1"), (ALL,))]
    ends = [end for one in choices for end in _ends(one, span, dialect, budget)]
    numbers = iter(_row(connection, ends, dialect))
    lows = [max(next(numbers) for _ in one.branches) for one in choices]
    best = min(range(len(choices)), key=lambda index: lows[index])
    return (candidates[best] if best < len(candidates) else None), max(lows[best], span.low)


def _ends(one: Filter, span: Range, dialect: Dialect, budget: int) -> list[Sql]:
    """Return expressions for the number at which the budget of each branch ends, 0 if it does not.

    For a branch without order, the end is at once, or never.
    """
    budget = budget // len(one.branches)
    expressions = []
    for branch in one.branches:
        if branch.ordered:
            newest = _entries(branch, span, dialect)
            params = newest.params
            order = dialect.order(branch, branch.seq)
            end = f"SELECT seq FROM ({newest.text} ORDER BY {order} LIMIT 1 OFFSET {budget}) e"
        else:
            where, params = branch.where.text, branch.where.params
            entries = f"SELECT {branch.seq} AS seq FROM {dialect.table(branch)} WHERE {where}"
            end = f"SELECT {END} FROM ({entries} LIMIT 1 OFFSET {budget}) e"
        expressions.append(Sql(f"coalesce(({end}), 0)", params))
    return expressions


def _branch(
    branch: Branch, checks: Sequence[Filter], span: Range, limit: int, dialect: Dialect
) -> Sql:
    """Return the statement for the newest runs of a branch that pass all checks."""
    entries = _entries(branch, span, dialect)
    order = dialect.order(branch, branch.seq) if branch.ordered else f"+{branch.seq} DESC"
    conditions = [one.check for one in checks if not one.of_run]
    of_run = [one.check for one in checks if one.of_run]
    if of_run:
        both = " AND ".join(check.text for check in of_run)
        text = f"EXISTS (SELECT 1 FROM test_runs r WHERE r.seq = c.seq AND {both}{dialect.fence})"
        conditions.insert(0, Sql(text, tuple(value for check in of_run for value in check.params)))
    if not conditions:
        return Sql(f"{entries.text} ORDER BY {order} LIMIT {limit}", entries.params)
    both = " AND ".join(check.text for check in conditions)
    params = [*entries.params, *(value for check in conditions for value in check.params)]
    # The order within the fence lets PostgreSQL stop at the limit.
    inner = f" ORDER BY {order}{dialect.fence}" if dialect.fence else ""
    text = f"SELECT c.seq AS seq FROM ({entries.text}{inner}) c WHERE {both}"
    outer = dialect.order(branch, "seq", "c.") if branch.ordered else "+c.seq DESC"
    return Sql(f"{text} ORDER BY {outer} LIMIT {limit}", tuple(params))


def _entries(branch: Branch, span: Range, dialect: Dialect) -> Sql:
    """Return the SELECT of the entries of a branch."""
    seq, where, params = branch.seq, branch.where.text, branch.where.params
    keys = dialect.keys(branch)
    if keys:
        # With `key = ?`, PostgreSQL may go through all runs by number until the limit is reached:
        # it takes those of the key to be anywhere.
        columns, values = ", ".join((*keys, seq)), marks((*params, span.low))
        where = f"({columns}) >= ({values}) AND ({columns}) < ({values})"
        params = (*params, span.low, *params, span.below)
    else:
        # With a plus, no index of the numbers is used: it would lead through all runs.
        bounded = seq if branch.ordered else f"+{seq}"
        where = f"{where} AND {bounded} >= ? AND {bounded} < ?"
        params = (*params, span.low, span.below)
    selected = ", ".join((f"{seq} AS seq", *keys))
    return Sql(f"SELECT {selected} FROM {dialect.table(branch)} WHERE {where}", params)


def _span(connection: Connection, query: Mapping[str, Any], below: int, dialect: Dialect) -> Range:
    """Return the range of numbers that the times of the query leave.

    Number and creation time grow together, except for the differences of clocks: a run that was
    created `MAX_CLOCK_SKEW` earlier than another has a lower number.
    """
    since, until = query.get("since"), query.get("until")
    if not (since or until):
        return Range(0, below)
    before = max(since or MIN_TIME, MIN_TIME) - MAX_CLOCK_SKEW
    after = min(until or MAX_TIME, MAX_TIME) + MAX_CLOCK_SKEW
    created = "SELECT seq FROM test_runs WHERE created_at"
    last = f"({created} < ? ORDER BY created_at DESC LIMIT 1)"
    first = f"({created} >= ? ORDER BY created_at LIMIT 1)"
    bounds = [Sql(last, (dialect.time(before),)), Sql(first, (dialect.time(after),))]
    low, high = _row(connection, bounds, dialect)
    return Range((low or 0) + 1, min(below, high or END))


def _scalars(connection: Connection, parts: Sequence[Sql], dialect: Dialect) -> Sequence[int]:
    """Return the numbers that the statements find."""
    text = " UNION ALL ".join(f"SELECT seq FROM ({part.text}) p" for part in parts)
    params = tuple(value for part in parts for value in part.params)
    return connection.exec_driver_sql(dialect.statement(text), params).scalars().all()


def _row(connection: Connection, expressions: Sequence[Sql], dialect: Dialect) -> Sequence[Any]:
    """Return the values of the expressions."""
    text = "SELECT " + ", ".join(one.text for one in expressions)
    params = tuple(value for one in expressions for value in one.params)
    return connection.exec_driver_sql(dialect.statement(text), params).one()
