"""Migrations of databases with rows in every table keep all of them, revision by revision."""

import pytest

from sparktest.api.store import migrate
from sparktest.api.store.tables import REVISION
from tests.migrations import filled

DERIVED = {"test_run_words"}
REVISIONS = [f"{number:04}" for number in range(1, int(REVISION) + 1)]


@pytest.fixture
def rows(connect):
    def read():
        with connect() as connection:
            return filled.rows(connection)

    return read


@pytest.fixture
def fill(connect):
    def insert(marker):
        with connect() as connection:
            filled.fill(connection, marker)

    return insert


def test_every_table_has_rows(url, fill, rows):
    migrate.upgrade(url)
    fill("one")
    assert all(len(found) == 1 for found in rows().values())
    assert len(rows()) >= 16


def without_derived(found):
    """Return the rows without those that a migration derives from others."""
    return {table: rows for table, rows in found.items() if table not in DERIVED}


def test_each_upgrade_and_each_downgrade_keeps_every_row(url, fill, rows):
    for revision in REVISIONS:
        before = rows()
        migrate.upgrade(url, revision)
        first, second = filled.common(before, rows())
        assert without_derived(first) == without_derived(second), revision
        assert first.keys() == before.keys(), revision
        fill(revision)
    newest = rows()
    for revision in reversed(REVISIONS[:-1]):
        before = rows()
        migrate.downgrade(url, revision)
        first, second = filled.common(before, rows())
        assert without_derived(first) == without_derived(second), revision
        assert first.keys() == rows().keys(), revision
    migrate.upgrade(url)
    first, second = filled.common(newest, rows())
    kept = {"test_runs", "test_run_labels", "test_run_log_chunks", "test_suite_runs"}
    for table in kept:
        assert len(first[table]) == len(second[table]) == len(REVISIONS), table


def test_existing_runs_get_the_origin_api(url, fill, rows):
    migrate.upgrade(url, "0001")
    fill("old")
    migrate.upgrade(url)
    assert [run["origin"] for run in rows()["test_runs"]] == ["api"]
