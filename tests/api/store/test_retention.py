"""Which runs and other rows are deleted when they are old."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from sparktest.api.store import access_tables, logs, retention, runs
from sparktest.api.store.run_tables import LogChunkRow, RunLabelRow, RunRow, RunTermRow, word_parts
from sparktest.api.store.run_tables import TombstoneRow as Tombstone
from sparktest.api.store.tables import ControllerRow, SuiteRunRow
from tests.api.store.rows import CREATED, run_row

NOW = CREATED + timedelta(days=100)


def ended(number, days_ago, **columns):
    at = NOW - timedelta(days=days_ago)
    times = {"created_at": at, "finished_at": at + timedelta(minutes=1), "updated_at": at}
    return run_row(number, **times, status="succeeded") | columns


def add(store, *rows):
    with store.writing() as connection:
        for row in rows:
            runs.add(connection, row)


def prune(store, days=30, keep=None, limit=100):
    """Delete until nothing is left to delete; return the numbers of the runs that are kept."""
    while True:
        with store.writing() as connection:
            old = retention.limits(connection, NOW, days, keep)
            if old is None or not retention.delete_runs(connection, old, NOW, limit):
                break
    with store.reading() as connection:
        found = connection.execute(select(RunRow.id).order_by(RunRow.seq)).scalars()
        return [int(run_id[-4:], 16) for run_id in found]


def count(store, table):
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.parametrize("limit", [1, 100])
def test_final_runs_are_deleted_by_age(store, limit):
    add(store, ended(1, 40), ended(2, 31), ended(3, 29), ended(4, 0.1))
    assert prune(store, days=30, limit=limit) == [3, 4]


def test_final_runs_are_deleted_by_number(store, monkeypatch):
    monkeypatch.setattr(retention, "COUNTED_AT_ONCE", 2)
    add(store, *(ended(number, 20 - number) for number in range(1, 8)))
    assert prune(store, days=None, keep=7) == [1, 2, 3, 4, 5, 6, 7]
    assert prune(store, days=None, keep=3) == [5, 6, 7]
    assert prune(store, days=None, keep=100) == [5, 6, 7]


def test_the_stricter_of_two_rules_holds(store):
    add(store, *(ended(number, 20 - number) for number in range(1, 8)))
    assert prune(store, days=15.5, keep=6) == [5, 6, 7]
    assert prune(store, days=90, keep=2) == [6, 7]


def test_without_a_rule_all_are_kept(store):
    add(store, ended(1, 90))
    assert prune(store, days=None) == [1]


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_run_that_is_not_final_is_never_deleted(store, status):
    add(store, ended(1, 90, status=status, finished_at=None))
    assert prune(store, days=1, keep=1) == [1]


def test_a_run_that_has_just_ended_is_kept(store):
    add(store, ended(1, 90, finished_at=NOW), ended(2, 90), ended(3, 0))
    assert prune(store, days=30) == [1, 3]
    assert prune(store, days=None, keep=1) == [1, 3]


def test_the_runs_of_a_suite_run_are_kept_until_all_are_old(store):
    suite_run = {"created_at": NOW, "suite_id": "s", "suite_name": "s", "version": 1}
    suite_run |= {"execution_mode": "parallel", "stop_on_failure": False}
    with store.writing() as connection:
        for suite in ("live", "new", "old"):
            connection.execute(insert(SuiteRunRow).values(id=suite.ljust(36), **suite_run))
    add(
        store,
        ended(1, 90, suite_run_id="live".ljust(36)),
        ended(2, 90, suite_run_id="live".ljust(36), status="pending", finished_at=None),
        ended(3, 31, suite_run_id="new".ljust(36)),
        ended(4, 29, suite_run_id="new".ljust(36)),
        ended(5, 90, suite_run_id="old".ljust(36)),
        ended(6, 91, suite_run_id="old".ljust(36)),
    )
    assert prune(store, days=30, limit=1) == [1, 2, 3, 4]
    assert count(store, SuiteRunRow) == 2


def test_all_that_belongs_to_a_run_is_deleted_and_a_tombstone_stays(store):
    add(store, ended(1, 90, labels={"team": "web"}, cluster="c", k8s_ref_uid="u"))
    with store.writing() as connection:
        seq = connection.execute(select(RunRow.seq)).scalar_one()
        logs.append(connection, seq, "test", 0, b"hello\n", max_bytes=1000)
    assert prune(store) == []
    for table in (RunLabelRow, RunTermRow, LogChunkRow):
        assert count(store, table) == 0
    with store.reading() as connection:
        assert runs.removed_testrun(connection, "c", "u")


def test_words_that_no_run_has_any_more_are_forgotten(store):
    add(store, ended(1, 90, name="smoke login"), ended(2, 0, name="login"))
    prune(store)
    with store.reading() as connection:
        words = set(connection.execute(select(word_parts.c.word)).scalars())
        # Elsewhere another transaction may be about to use one of them.
        kept_on_postgres = {"smoke"} if connection.dialect.name == "postgresql" else set()
    assert words == {"login", "tests"} | kept_on_postgres


def test_a_large_log_is_deleted_in_steps(store, monkeypatch):
    monkeypatch.setattr(retention, "STEP_LOG_BYTES", 500)
    monkeypatch.setattr(retention, "STEP_CHUNKS", 2)
    add(store, ended(1, 90), ended(2, 89))
    with store.writing() as connection:
        for start in range(0, 700, 100):
            chunk = {"run_seq": 1, "container": "test", "start": start, "size": 100, "data": b""}
            seq = connection.execute(select(func.min(RunRow.seq))).scalar_one()
            connection.execute(insert(LogChunkRow).values(chunk | {"run_seq": seq}))
        connection.execute(update(RunRow).where(RunRow.seq == seq).values(log_bytes=700))
        old = retention.limits(connection, NOW, 30, None)
        assert old is not None
        left = []
        while retention.delete_runs(connection, old, NOW, 100):
            chunks = connection.execute(select(func.count()).select_from(LogChunkRow)).scalar_one()
            left.append(chunks)
            state = select(RunRow.log_state, RunRow.log_reason).where(RunRow.seq == seq)
            assert connection.execute(state).first() in (("none", "Pruned"), None)
    assert left == [5, 3, 1, 0, 0]


def test_other_tables_lose_their_old_rows(store):
    audit = {"actor": "a", "method": "POST", "path": "/", "status": 200}
    key = {"token_id": "t", "fingerprint": "f", "status": 1, "headers": {}, "body": b""}
    with store.writing() as connection:
        for days in (0, 2, 29, 31, 89, 91):
            at = NOW - timedelta(days=days)
            values = (
                (Tombstone, {"id": f"{days}".ljust(36), "deleted_at": at}),
                (ControllerRow, {"cluster": f"{days}", "seen_at": at}),
                (access_tables.AuditRow, audit | {"at": at}),
                (access_tables.IdempotencyKeyRow, key | {"key": f"{days}", "created_at": at}),
            )
            for table, columns in values:
                connection.execute(insert(table).values(columns))
    with store.writing() as connection:
        while retention.delete_others(connection, NOW, None, 2):
            pass
    assert count(store, Tombstone) == 3
    assert count(store, ControllerRow) == count(store, access_tables.IdempotencyKeyRow) == 1
    assert count(store, access_tables.AuditRow) == 6
    with store.writing() as connection:
        assert retention.delete_others(connection, NOW, 30, 10) == 1
        assert retention.delete_others(connection, NOW, 30, 10) == 0
