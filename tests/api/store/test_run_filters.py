"""Filters of runs: they find what a plain model of them finds, by indexes, at a bounded cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from sparktest.api import create_app
from sparktest.api.store import Store, migrate, run_pages, runs
from sparktest.api.store.run_filters import COLUMNS
from sparktest.api.store.run_search import run_terms, search_terms
from sparktest.api.store.run_tables import RunRow
from sparktest.label_selectors import parse_selector
from sparktest.settings import Settings
from tests.api import databases
from tests.api.store.queries import FILTERS, PAIRS
from tests.api.store.rows import CREATED, run_row


def matches(run: dict[str, Any], query: dict[str, Any]) -> bool:
    """Return True when the run passes all filters: the model."""
    columns = {
        "definition_id": run.get("test_definition_id"),
        "class_": (run.get("failure") or {}).get("class"),
    }
    created, updated = run["created_at"], run["updated_at"]
    return (
        all(columns.get(name, run.get(name)) in query[name] for name in COLUMNS if query.get(name))
        and all(
            one.matches(run["labels"]) for selector in query.get("label", ()) for one in selector
        )
        and ("q" not in query or found_by(run, query["q"]))
        and created >= query.get("since", created)
        and (not query.get("until") or created < query["until"])
        and updated >= query.get("updated_since", updated)
        and not (query.get("unblocked") and run.get("blocked"))
    )


def found_by(run: dict[str, Any], q: str) -> bool:
    words, terms = run_terms(run), search_terms(q)
    return bool(terms) and all(
        any(term in word for word in words) or (len(term) >= 4 and run["id"].startswith(term))
        for term in terms
    )


def some(values: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values.split()])


LABELS = st.dictionaries(st.sampled_from(["team", "tier", "old"]), st.sampled_from(["a", "b", ""]))
RUN = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["pending", "running", "failed", "succeeded"]),
        "origin": st.sampled_from(["api", "crd"]),
        "namespace": st.sampled_from(["shop", "tests", "bank"]),
        "cluster": some("c other"),
        "test_definition_id": some("d" * 36),
        "suite_run_id": some("e" * 36),
        "schedule_id": some("f" * 36),
        "failure": st.sampled_from(
            [None, *({"class": one, "reason": "Log", "message": ""} for one in ("infra", "config"))]
        ),
        "labels": LABELS,
        "name": st.sampled_from(["login", "Dialog 7", "cart", "cafe"]),
        "blocked": st.booleans(),
        "minute": st.integers(0, 10),
        "changed": st.integers(0, 10),
    }
)
SELECTOR = st.sampled_from(
    ["team", "!team", "team=a", "team!=a", "tier in (a,b),!old", "old notin (a)", "team="]
).map(parse_selector)
QUERY = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.just(FILTERS[name]) for name in FILTERS if name not in ("label", "q")},
        "status": st.lists(st.sampled_from(["pending", "running", "failed"]), min_size=1),
        "label": st.lists(SELECTOR, min_size=1, max_size=2),
        "q": st.sampled_from(["log", "LO 7", "a", "cafe", "0000", "none", "%", "b tests"]),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(RUN, max_size=8),
    queries=st.lists(QUERY, min_size=1, max_size=5),
    limit=st.integers(1, 4),
    budget=st.sampled_from([1, 2, 5000]),
)
def test_filters_find_what_their_model_finds(store, rows, queries, limit, budget):
    databases.clear(store)
    stored = store_runs(store, rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_pages, "BUDGET", budget)
        for query in queries:
            expected = [seq for seq, run in stored if matches(run, query)][::-1]
            assert list(pages(store, query, limit)) == expected


def store_runs(store, rows) -> list[tuple[int, dict[str, Any]]]:
    """Store the runs, in the order of their creation; return them with their numbers."""
    stored = []
    rows = sorted(rows, key=lambda row: row["minute"])
    with store.writing() as connection:
        for columns in rows:
            columns = dict(columns)
            created = CREATED + timedelta(minutes=columns.pop("minute"))
            updated = created + timedelta(minutes=columns.pop("changed"))
            number = (connection.execute(select(func.max(RunRow.seq))).scalar() or 0) + 1
            run = run_row(number, created_at=created, updated_at=updated, **columns)
            assert runs.add(connection, run)
            stored.append((connection.execute(select(func.max(RunRow.seq))).scalar_one(), run))
    return stored


def pages(store, query, limit) -> Iterator[int]:
    """Yield the numbers of the runs on all pages."""
    below = None
    while True:
        with store.reading() as connection:
            found = run_pages.find(connection, query, below, limit)
        assert len(found.seqs) <= limit
        yield from found.seqs
        below = found.next
        if below is None:
            return


@contextmanager
def explained(store, connection) -> Iterator[list[str]]:
    """Collect the steps of the plans of the statements that the block sends."""
    sent = []

    def record(connection, cursor, statement, parameters, *rest):
        sent.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", record)
    steps: list[str] = []
    yield steps
    event.remove(store.engine, "before_cursor_execute", record)
    sqlite = connection.dialect.name == "sqlite"
    # PostgreSQL scans small tables even where an index would do.
    for setting in () if sqlite else ("seqscan", "bitmapscan"):
        connection.exec_driver_sql(f"SET enable_{setting} = off")
    for statement, parameters in sent:
        how = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{how} {statement}", parameters)
        steps += [str(row[3 if sqlite else 0]) for row in rows]
    for setting in () if sqlite else ("seqscan", "bitmapscan"):
        connection.exec_driver_sql(f"RESET enable_{setting}")


@pytest.mark.parametrize("below", [None, 1000], ids=["first page", "later page"])
@pytest.mark.parametrize("query", PAIRS, ids=lambda query: " ".join(query))
def test_no_filter_and_no_pair_of_filters_scans_or_sorts_all_runs(store, query, below):
    with store.reading() as connection, explained(store, connection) as plan:
        run_pages.find(connection, query, below, 101)
    bad = ("SCAN test_", "Seq Scan on test_", "Seq Scan on c")
    assert not [step for step in plan if any(each in step for each in bad)], plan


EXCLUSIVE = [
    {"status": ["failed"], "class_": ["config"]},
    {"origin": ["api"], "namespace": ["shop"]},
    {"label": [parse_selector("team=a,team=b")]},
    {"label": [parse_selector("!team")]},
    {"label": [parse_selector("team=a")], "q": "login"},
    {"q": "dialog", "origin": ["api"]},
    {"q": "cafe", "namespace": ["shop"]},
    {"updated_since": CREATED, "origin": ["api"], "namespace": ["shop"]},
    {"updated_since": CREATED, "until": CREATED - timedelta(days=1)},
    {"status": ["failed", "succeeded"], "cluster": ["none"]},
]


def filled(folder, number: int) -> Store:
    """Return a store with runs of two kinds that have nothing in common."""
    url = f"sqlite:///{folder / str(number)}.db"
    migrate.upgrade(url)
    store: Store = create_app(Settings(database_url=url)).extensions["sparktest"].store
    api = {"origin": "api", "name": "login", "labels": {"team": "b"}, "status": "succeeded"}
    crd = {"origin": "crd", "name": "dialog", "labels": {"team": "a"}, "namespace": "shop"}
    crd |= {"status": "failed", "failure": {"class": "test", "reason": "", "message": ""}}
    rows = [(api if n % 2 else crd) | {"minute": 0, "changed": 0} for n in range(number)]
    store_runs(store, rows)
    return store


def test_the_work_of_a_page_does_not_grow_with_the_number_of_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(run_pages, "BUDGET", 30)
    few, many = filled(tmp_path, 200), filled(tmp_path, 1200)
    for query in EXCLUSIVE:
        assert steps(many, query) <= 1.3 * steps(few, query) + 200, query
    few.close()
    many.close()


def steps(store, query) -> int:
    """Return the number of steps of SQLite's machine that a page takes."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    with store.reading() as connection:
        driver = connection.connection.driver_connection
        driver.set_progress_handler(count, 1)
        assert run_pages.find(connection, query, None, 100).seqs == []
        driver.set_progress_handler(None, 1)
    return taken
