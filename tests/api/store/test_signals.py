"""Signals tell one process what another one has committed.

On PostgreSQL all tests at once share a database, and so each receives what others send.
"""

import threading
import time

import pytest

from sparktest.api.store import changes, signals
from sparktest.api.store.changes import ChangeKind
from tests.api.store.rows import CREATED


@pytest.fixture
def source(store):
    interrupt = signals.Interrupt()
    opened = signals.open_signals(store, interrupt)
    yield opened
    opened.close()
    interrupt.close()


@pytest.fixture
def other(store):
    """The signals of another process."""
    interrupt = signals.Interrupt()
    opened = signals.open_signals(store, interrupt)
    yield opened
    opened.close()
    interrupt.close()


def commit(store) -> None:
    with store.writing() as connection:
        changes.record(connection, ChangeKind.UPDATED, ["a"], CREATED)


def wait(source, wanted: set[str]) -> None:
    """Wait until all these topics have arrived."""
    received: set[str] = set()
    deadline = time.monotonic() + 30
    while not wanted <= received:
        assert time.monotonic() < deadline, received
        received |= set(source.wait(0.1))


@pytest.fixture
def postgres(store):
    if store.engine.dialect.name != "postgresql":
        pytest.skip("notifications of PostgreSQL")


@pytest.fixture
def sqlite(store):
    if store.engine.dialect.name != "sqlite":
        pytest.skip("the counter of SQLite")


@pytest.mark.usefixtures("postgres")
def test_other_processes_receive_what_is_sent(source, other):
    source.send({"run-1", changes.CHANGES})
    wait(other, {"run-1", changes.CHANGES})


@pytest.mark.usefixtures("postgres")
def test_a_process_does_not_receive_its_own_signals(source, other):
    source.send({"mine"})
    other.send({"theirs"})
    received: set[str] = set()
    while "theirs" not in received:
        received |= set(source.wait(60))
    assert "mine" not in received


@pytest.mark.usefixtures("postgres")
def test_too_many_topics_are_sent_as_one(source, other, monkeypatch):
    monkeypatch.setattr(signals, "POSTGRES_SECONDS", 3600)
    source.send({f"{n:036}" for n in range(signals.MAX_TOPICS)})
    wait(other, {f"{n:036}" for n in range(signals.MAX_TOPICS)})
    source.send({f"{n:036}" for n in range(signals.MAX_TOPICS + 1)})
    wait(other, {signals.ANYTHING})


@pytest.mark.usefixtures("postgres")
def test_a_listener_looks_by_itself_from_time_to_time(store, monkeypatch):
    monkeypatch.setattr(signals, "POSTGRES_SECONDS", 0.0)
    interrupt = signals.Interrupt()
    source = signals.open_signals(store, interrupt)
    assert signals.ANYTHING in source.wait(60)
    source.close()
    interrupt.close()


@pytest.mark.usefixtures("sqlite")
def test_a_commit_of_another_connection_is_noticed(source, store):
    commit(store)
    wait(source, {signals.ANYTHING})
    for _ in range(3):
        assert set(source.wait(signals.SQLITE_SECONDS)) == set()


def test_a_wait_can_be_interrupted(store):
    interrupt = signals.Interrupt()
    source = signals.open_signals(store, interrupt)
    timer = threading.Timer(0.01, interrupt.set)
    timer.start()
    source.wait(3600)
    timer.join()
    for _ in range(100_000):
        interrupt.set()
    interrupt.wait(3600)
    source.close()
    interrupt.close()
