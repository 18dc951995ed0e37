"""Changes of runs are read once each, in an order that concurrent commits cannot disturb."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from sparktest.api.store import changes, deferred, runs
from sparktest.api.store.changes import START, ChangeKind
from sparktest.errors import UnavailableError
from tests.api.requests import create, report
from tests.api.store.rows import CREATED as NOW
from tests.api.store.rows import run_row


@pytest.fixture
def postgres(store):
    if store.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")


def record(store, *run_ids: str, at=NOW) -> None:
    with store.writing() as connection:
        changes.record(connection, ChangeKind.UPDATED, run_ids, at)


def settle(store, seconds: float = 60.0) -> int | None:
    with store.reading() as connection:
        return changes.settle(connection, seconds)


def read(store, after: int = START) -> list[str]:
    settled = settle(store)
    assert settled is not None
    with store.reading() as connection:
        return [row.run_id.strip() for row in changes.read(connection, after, settled, 100)]


def newest(store) -> int:
    settled = settle(store)
    assert settled is not None
    with store.reading() as connection:
        return changes.newest(connection, settled)


def is_kept(store, position: int) -> bool:
    with store.reading() as connection:
        return changes.is_kept(connection, position)


def prune(store, before, limit: int = 1000) -> int:
    with store.writing() as connection:
        return changes.prune(connection, before, limit)


def test_creation_change_and_deletion_of_a_run_are_recorded(client, store):
    run_id = create(client)["id"]
    report(client, run_id, "running")
    report(client, run_id, "succeeded")
    assert client.delete(f"/api/test-runs/{run_id}").status_code == 204
    with store.reading() as connection:
        found = changes.read(connection, START, 2**40, 100)
    assert [(row.run_id, row.kind) for row in found] == [
        (run_id, "created"),
        (run_id, "updated"),
        (run_id, "updated"),
        (run_id, "deleted"),
    ]


def test_a_report_that_changes_nothing_is_no_change(client, store):
    run_id = create(client)["id"]
    report(client, run_id, "running")
    before = newest(store)
    report(client, run_id, "running")
    assert newest(store) == before


def test_a_rolled_back_transaction_is_no_change(store):
    def fail(connection):
        runs.add(connection, run_row(1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write(fail)
    assert read(store) == []


def test_a_reader_continues_after_its_position(store):
    record(store, "a", "b")
    position = newest(store)
    record(store, "c")
    assert read(store) == ["a", "b", "c"]
    assert read(store, position) == ["c"]


def test_a_page_has_the_oldest_changes(store):
    record(store, "a", "b", "c")
    with store.reading() as connection:
        first = changes.read(connection, START, 2**40, 2)
        assert [row.run_id.strip() for row in first] == ["a", "b"]
        last = changes.read(connection, first[1].seq, 2**40, 2)
    assert [row.run_id.strip() for row in last] == ["c"]


@pytest.mark.usefixtures("postgres")
def test_a_change_is_not_skipped_when_it_is_committed_after_a_later_one(store):
    with store.writing() as slow:
        runs.record_heartbeat(slow, "cluster-1", NOW)
        changes.record(slow, ChangeKind.UPDATED, ["first"], NOW)
        deferred.flush(slow)
        with store.writing() as quick:
            changes.record(quick, ChangeKind.UPDATED, ["second"], NOW)
        # The second is committed, but a reader that read it would never see the first.
        assert settle(store, 0.01) is None
    assert read(store) == ["first", "second"]


@pytest.mark.usefixtures("postgres")
def test_settling_ends_when_the_transactions_do_that_ran_before(store):
    recorded = threading.Event()
    finish = threading.Event()

    def write() -> None:
        with store.writing() as connection:
            changes.record(connection, ChangeKind.UPDATED, ["first"], NOW)
            deferred.flush(connection)
            recorded.set()
            finish.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    recorded.wait(60)
    timer = threading.Timer(0.05, finish.set)
    timer.start()
    assert read(store) == ["first"]
    thread.join()
    timer.join()


@pytest.mark.usefixtures("postgres")
def test_a_transaction_that_records_no_change_does_not_delay_readers(store):
    with store.writing() as other:
        runs.record_heartbeat(other, "cluster-1", NOW)
        record(store, "first")
        assert read(store) == ["first"]


def test_a_reader_during_concurrent_writes_sees_every_change_once(store):
    wanted = {f"{writer}-{n}" for writer in range(4) for n in range(25)}

    def write(writer: int) -> None:
        for n in range(25):
            record(store, f"{writer}-{n}")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    position = START
    while any(thread.is_alive() for thread in threads) or len(seen) < len(wanted):
        settled = settle(store)
        assert settled is not None
        with store.reading() as connection:
            page = changes.read(connection, position, settled, 7)
        seen += [row.run_id.strip() for row in page]
        if page:
            position = page[-1].seq
    assert len(seen) == len(wanted)
    assert set(seen) == wanted


def test_a_pruned_position_is_not_kept(store):
    record(store, "a", at=NOW - timedelta(days=2))
    old = newest(store)
    record(store, "b")
    assert is_kept(store, old)
    assert prune(store, NOW - timedelta(days=1)) == 1
    assert not is_kept(store, old)
    assert not is_kept(store, START)
    assert is_kept(store, newest(store))
    assert read(store) == ["b"]


def test_the_newest_change_is_never_pruned(store):
    record(store, "a", "b")
    assert prune(store, NOW + timedelta(days=1)) == 1
    assert read(store) == ["b"]
    assert prune(store, NOW + timedelta(days=1)) == 0


def test_the_oldest_changes_are_pruned_first_whatever_their_times(store):
    record(store, "late", at=NOW)
    record(store, "early", at=NOW - timedelta(days=2))
    record(store, "newest", at=NOW)
    assert prune(store, NOW - timedelta(days=1), 1) == 1
    assert read(store) == ["early", "newest"]
    assert prune(store, NOW - timedelta(days=1)) == 1


def test_a_number_that_the_database_never_had_is_not_kept(store):
    record(store, "a")
    assert not is_kept(store, newest(store) + 1)


def test_an_empty_table_keeps_the_start(store):
    assert newest(store) == START
    assert is_kept(store, START)
    assert prune(store, NOW, 10) == 0


def test_new_runs_are_logged_once_they_are_committed(store, caplog):
    def fail(connection):
        raise OperationalError("COMMIT", None, Exception("disk I/O error"))

    def create_two(connection):
        for number in (1, 2):
            runs.add_later(connection, run_row(number))

    def logged():
        return [text for text in caplog.messages if text.startswith("run created")]

    caplog.set_level("INFO")
    event.listen(store.engine, "commit", fail)
    try:
        with pytest.raises(UnavailableError):
            store.write(create_two)
    finally:
        event.remove(store.engine, "commit", fail)
    assert logged() == []
    store.write(create_two)
    assert logged() == [f"run created run_id={run_row(number)['id']}" for number in (1, 2)]
