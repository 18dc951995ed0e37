"""Pages of runs, newest first; every filter has an index that gives it in that order."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select
from sqlalchemy.orm import aliased

from sparktest.api.store.rows import Row, fetch_all
from sparktest.api.store.run_tables import RunLabelRow, RunRow, RunWordRow
from sparktest.api.store.runs import DOCUMENT
from sparktest.api.store.words import words

# The last character there is: a prefix with it behind is above every word with that prefix.
LAST = "\U0010ffff"
EPOCH = datetime.fromtimestamp(0, UTC)
CLOCKS_DIFFER = timedelta(hours=1)
BEGINNING_OF_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{0,27}\Z")
# Made once: to make a statement of forty columns costs as much as to run it.
RUNS = select(*DOCUMENT)
OLDER = aliased(RunRow)
# The index of labels gives the runs with a label in the order of the page, one after the other.
FIRST = aliased(RunLabelRow)
LABELLED = RUNS.join(FIRST, FIRST.run_seq == RunRow.seq)
ANY_OF = {
    "status": RunRow.status,
    "origin": RunRow.origin,
    "namespace": RunRow.namespace,
    "cluster": RunRow.cluster,
    "definition_id": RunRow.test_definition_id,
}


def page(
    connection: Connection, query: Mapping[str, Any], below: int | None, limit: int
) -> Sequence[Row]:
    """At most `limit` runs with a number below `below`, with their JSON columns as text."""
    return fetch_all(connection, statement(query, below, limit))


def statement(query: Mapping[str, Any], below: int | None, limit: int) -> Select[Any]:
    """The statement of a page."""
    labels = [label.partition("=") for label in query.get("label") or ()]
    exact = next((label for label in labels if label[1]), None)
    found, seq = (RUNS, RunRow.seq) if exact is None else (LABELLED, FIRST.run_seq)
    if exact:
        labels.remove(exact)
        found = found.where(FIRST.key == exact[0], FIRST.value == exact[2])
    if below is not None:
        found = found.where(seq < below)
    found = found.where(*_conditions(query), *(_has_label(label) for label in labels))
    return found.order_by(seq.desc()).limit(limit)


def _conditions(query: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
    for name, column in ANY_OF.items():
        if query.get(name):
            yield column.in_(query[name])
    if query.get("since"):
        yield from _created_since(query["since"])
    if query.get("updated_since"):
        updated = select(RunRow.seq).where(RunRow.updated_at >= query["updated_since"])
        yield RunRow.seq.in_(updated)
    for term in (query.get("q") or "").casefold().split():
        yield from _found_by(term)


def _created_since(since: datetime) -> Iterator[ColumnElement[bool]]:
    """Numbers grow as time does, but for clocks that were set back: the index finds the place."""
    yield RunRow.created_at >= since
    place = max(since, EPOCH) - CLOCKS_DIFFER
    first = select(OLDER.seq).where(OLDER.created_at >= place)
    yield RunRow.seq >= first.order_by(OLDER.created_at).limit(1).scalar_subquery()


def _has_label(label: tuple[str, str, str]) -> ColumnElement[bool]:
    """`key=value`, or `key` with any value."""
    key, equals, value = label
    with_label = select(RunLabelRow.run_seq).where(RunLabelRow.key == key)
    return RunRow.seq.in_(with_label.where(RunLabelRow.value == value) if equals else with_label)


def _found_by(term: str) -> Iterator[ColumnElement[bool]]:
    """The words of the term each begin a word of the run; or the term begins its id."""
    if BEGINNING_OF_ID.match(term):
        # The first group of the id is one of the run's words: an index finds the few with it.
        yield func.substr(RunRow.id, 1, len(term)) == term
        term = term[:8]
    for word in words(term):
        between = RunWordRow.word.between(word, word + LAST)
        yield RunRow.seq.in_(select(RunWordRow.run_seq).where(between))
