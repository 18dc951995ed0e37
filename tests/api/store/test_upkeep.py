"""Sizes, backups and pruning of a whole database."""

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, update

from sparktest.api.store import Store, logs, migrate, runs, upkeep
from sparktest.api.store.engine import parse_url
from sparktest.api.store.run_tables import RunRow
from tests.api import databases
from tests.api.store.rows import CREATED, run_row

RUNS = 30


@pytest.fixture(params=databases.ENGINES)
def url(request, tmp_path):
    with databases.empty(request.param, tmp_path) as url:
        migrate.upgrade(url)
        store = Store(create_engine(parse_url(url)))
        with store.writing() as connection:
            for number in range(RUNS):
                at = CREATED + timedelta(days=number)
                runs.add(connection, run_row(number, created_at=at, status="failed"))
                logs.append(connection, number + 1, "test", 0, bytes(range(256)), max_bytes=9999)
            connection.execute(update(RunRow).values(finished_at=RunRow.created_at))
        store.close()
        yield url


def test_sizes_name_every_table(url):
    found = upkeep.sizes(url)
    rows = {table.table: table.rows for table in found.tables}
    assert (rows["test_runs"], rows["test_run_log_chunks"], rows["tokens"]) == (RUNS, RUNS, 0)
    assert found.total > found.free >= 0
    assert all(table.size is None or table.size > 0 for table in found.tables)


def test_a_dry_run_deletes_nothing_and_says_the_same(url):
    now = CREATED + timedelta(days=RUNS)
    dry = upkeep.prune(url, now, 10, None, dry_run=True)
    assert dry == (20, 20 * 256)
    assert upkeep.prune(url, now, 10, None, dry_run=False) == dry
    assert upkeep.prune(url, now, 10, None, dry_run=True) == (0, 0)
    assert upkeep.prune(url, now, None, 4, dry_run=False).runs == 6


def test_a_backup_is_of_one_moment_while_others_write(tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "BACKUP_PAGES", 1)
    url = f"sqlite:///{tmp_path}/s.db"
    migrate.upgrade(url)
    store = Store(create_engine(parse_url(url)))
    steps = []

    def write(left, total):
        steps.append(left)
        with store.writing() as connection:
            runs.add(connection, run_row(len(steps)))

    upkeep.backup(url, tmp_path / "copy.db", write)
    store.close()
    assert len(steps) > 20
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT count(*) FROM test_runs").fetchone() == (0,)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
