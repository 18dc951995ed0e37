"""Pages of 20,000 runs on PostgreSQL: what the database reads for a page is bounded."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from sparktest.api import create_app
from sparktest.api.store import Store, migrate, run_pages, runs
from sparktest.settings import Settings
from tests.api import databases
from tests.api.store.queries import PAIRS
from tests.api.store.rows import CREATED, run_row

RUNS = 20_000
BUDGET = 100
# A page reads the budget at most to choose a filter, for each of its branches, and at most so many
# runs with the labels or the words of each. Without a bound, it is a multiple of `RUNS`.
MOST = 10 * BUDGET
# Of these runs, each passes exactly one filter, so a pair of filters finds none.
KINDS: list[dict[str, Any]] = [
    {"status": "failed"},
    {"origin": "crd"},
    {"namespace": "shop"},
    {"cluster": "c"},
    {"test_definition_id": "d" * 36},
    {"suite_run_id": "e" * 36},
    {"schedule_id": "f" * 36},
    {"failure": {"class": "infra", "reason": "Evicted", "message": ""}},
    {"labels": {"team": "a", "tier": "b"}},
    {"name": "login"},
    {"updated_at": CREATED + timedelta(minutes=9)},
]
TABLES = "test_runs, test_run_labels, test_run_words"
HIDDEN = text(
    "SELECT count(*) FROM pg_class WHERE relallvisible < relpages "
    f"AND oid = ANY (string_to_array('{TABLES}', ', ')::regclass[])"
)
READ = text(
    "SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0) FROM pg_class "
    "WHERE relkind IN ('r', 'i') AND relnamespace = current_schema()::regnamespace"
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Iterator[Store]:
    with databases.empty("postgresql", tmp_path_factory.mktemp("postgresql")) as url:
        migrate.upgrade(url)
        store: Store = create_app(Settings(database_url=url)).extensions["sparktest"].store
        with store.writing() as connection:
            fill(connection)
        with store.reading() as connection:
            vacuum(connection)
        yield store
        store.close()


def fill(connection: Connection) -> None:
    """Store one run of each kind as the API does, and copy them."""
    for number, kind in enumerate(KINDS, 1):
        assert runs.add(connection, run_row(number, **{"name": "cart", "namespace": "bank"} | kind))
    columns = connection.execute(
        text(
            "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = 'test_runs' "
            "AND column_name NOT IN ('seq', 'id', 'created_at')"
        )
    ).scalar_one()
    connection.execute(
        text(
            f"INSERT INTO test_runs (id, created_at, {columns}) "
            f"SELECT gen_random_uuid(), created_at + n * interval '1 minute', {columns} "
            f"FROM generate_series(1, {RUNS // len(KINDS)}) n, test_runs ORDER BY n, seq"
        )
    )
    for table, values in (("test_run_labels", "key, value"), ("test_run_words", "word")):
        connection.execute(
            text(
                f"INSERT INTO {table} (run_seq, {values}) SELECT r.seq, {values} FROM test_runs r "
                f"JOIN {table} o ON o.run_seq = (r.seq - 1) % {len(KINDS)} + 1 "
                f"WHERE r.seq > {len(KINDS)}"
            )
        )


def vacuum(connection: Connection) -> None:
    """Do what autovacuum does a minute later.

    While the transaction of another test is open, it leaves rows for the next time.
    """
    deadline = time.monotonic() + 60
    while True:
        connection.exec_driver_sql(f"VACUUM ANALYZE {TABLES}")
        if connection.execute(HIDDEN).scalar_one() == 0:
            return
        assert time.monotonic() < deadline, "a transaction stays open"
        time.sleep(0.2)


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
def test_every_filter_and_pair_reads_a_bounded_number_of_rows(filled, plans, monkeypatch):
    monkeypatch.setattr(run_pages, "BUDGET", BUDGET)
    reads = {}
    with filled.engine.connect() as connection:
        # Prepared at once, as the driver does with a statement that was sent five times.
        connection.connection.driver_connection.prepare_threshold = 0
        connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = {plans}")
        for query in PAIRS:
            before = connection.execute(READ).scalar_one()
            run_pages.find(connection, query, None, 100)
            reads[" ".join(query)] = connection.execute(READ).scalar_one() - before
        connection.rollback()
    assert {query: read for query, read in reads.items() if read > MOST} == {}
