"""Pages of runs, newest first; every filter has an index that returns runs in that order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, false, func, select
from sqlalchemy.orm import aliased

from sparktest.api.store.engine import Row, fetch_all
from sparktest.api.store.run_tables import RunLabelRow, RunRow, RunTermRow
from sparktest.api.store.runs import TEXT_COLUMNS, search_terms

# The highest code point: `prefix + HIGHEST` is an upper bound of all terms with this prefix.
HIGHEST = "\U0010ffff"
EPOCH = datetime.fromtimestamp(0, UTC)
MAX_CLOCK_SKEW = timedelta(hours=1)
ID_PREFIX = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{0,27}\Z")
# Built once: building a statement of forty columns costs as much as executing it.
RUNS = select(*TEXT_COLUMNS)
OLDER = aliased(RunRow)
# The index of labels returns the runs with a label in the order of the page.
FIRST_LABEL = aliased(RunLabelRow)
LABELLED_RUNS = RUNS.join(FIRST_LABEL, FIRST_LABEL.run_seq == RunRow.seq)
FILTER_COLUMNS = {
    "status": RunRow.status,
    "origin": RunRow.origin,
    "namespace": RunRow.namespace,
    "cluster": RunRow.cluster,
    "definition_id": RunRow.test_definition_id,
}


def page(
    connection: Connection, query: Mapping[str, Any], below: int | None, limit: int
) -> Sequence[Row]:
    """Return at most `limit` runs with `seq` below `below`, with their JSON columns as text."""
    return fetch_all(connection, statement(query, below, limit))


def statement(query: Mapping[str, Any], below: int | None, limit: int) -> Select[Any]:
    """Return the statement of a page; `query` is a loaded RunQuerySchema."""
    labels = [label.partition("=") for label in query.get("label") or ()]
    exact = next((label for label in labels if label[1]), None)
    runs, seq = (RUNS, RunRow.seq) if exact is None else (LABELLED_RUNS, FIRST_LABEL.run_seq)
    if exact:
        labels.remove(exact)
        runs = runs.where(FIRST_LABEL.key == exact[0], FIRST_LABEL.value == exact[2])
    if below is not None:
        runs = runs.where(seq < below)
    runs = runs.where(*_conditions(query), *(_has_label(label) for label in labels))
    return runs.order_by(seq.desc()).limit(limit)


def _conditions(query: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    for name, column in FILTER_COLUMNS.items():
        if query.get(name):
            yield column.in_(query[name])
    if query.get("since"):
        yield from _created_since(query["since"])
    if query.get("updated_since"):
        updated = select(RunRow.seq).where(RunRow.updated_at >= query["updated_since"])
        yield RunRow.seq.in_(updated)
    for text in (query.get("q") or "").casefold().split():
        yield from _matches(text)


def _created_since(since: datetime) -> Iterator[ColumnElement[bool]]:
    """Bound `seq` by the index of creation times: both grow together, except for clock skew."""
    yield RunRow.created_at >= since
    start = max(since, EPOCH) - MAX_CLOCK_SKEW
    oldest = select(OLDER.seq).where(OLDER.created_at >= start)
    yield RunRow.seq >= oldest.order_by(OLDER.created_at).limit(1).scalar_subquery()


def _has_label(label: tuple[str, str, str]) -> ColumnElement[bool]:
    """Match `key=value`, or `key` with any value."""
    key, equals, value = label
    with_label = select(RunLabelRow.run_seq).where(RunLabelRow.key == key)
    return RunRow.seq.in_(with_label.where(RunLabelRow.value == value) if equals else with_label)


def _matches(text: str) -> Iterator[ColumnElement[bool]]:
    """Match runs by the beginnings of their search terms, or of their id."""
    if ID_PREFIX.match(text):
        # The first group of the id is a search term: an index finds the few runs that have it.
        yield func.substr(RunRow.id, 1, len(text)) == text
        text = text[:8]
    terms = search_terms(text)
    if not terms:
        yield false()
    for term in terms:
        between = RunTermRow.word.between(term, term + HIGHEST)
        yield RunRow.seq.in_(select(RunTermRow.run_seq).where(between))
