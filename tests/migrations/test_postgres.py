"""Migrations of a PostgreSQL database that others use meanwhile."""

import threading
import time
from itertools import count

import pytest
from sqlalchemy import Engine, event, text

from sparktest.api.store import migrate
from sparktest.api.store.tables import REVISION
from sparktest.errors import UnavailableError
from tests.migrations import filled, linter

LAST_BLOCKING = "0003"


def test_a_migration_waits_for_a_locked_table_without_blocking_writers(postgres_url, connect):
    migrate.upgrade(postgres_url, "0004")
    with connect() as reader:
        reader.execute(text("SELECT 1 FROM test_runs"))
        thread = threading.Thread(target=migrate.upgrade, args=(postgres_url,), daemon=True)
        thread.start()
        thread.join(60)
        assert thread.is_alive()
        with connect() as writer:
            filled.fill(writer, "meanwhile")
    thread.join(60)
    assert migrate.current(postgres_url) == REVISION


def test_a_table_that_stays_locked_is_an_error_with_words(postgres_url, connect, monkeypatch):
    monkeypatch.setattr(migrate, "LOCK_ATTEMPTS", 2)
    migrate.upgrade(postgres_url, "0004")
    with connect() as reader:
        reader.execute(text("SELECT 1 FROM test_runs"))
        with pytest.raises(UnavailableError, match="long transaction of another program"):
            migrate.upgrade(postgres_url)


def test_a_second_process_waits_until_the_first_has_migrated(postgres_url, connect):
    with connect() as first:
        key = f"{migrate.LOCK}, hashtext(current_schema())"
        first.execute(text(f"SELECT pg_advisory_lock({key})"))
        thread = threading.Thread(target=migrate.upgrade, args=(postgres_url,), daemon=True)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert migrate.current(postgres_url) == ""
        first.execute(text(f"SELECT pg_advisory_unlock({key})"))
    thread.join(60)
    assert migrate.current(postgres_url) == REVISION


class Killed(Exception):  # noqa: N818 - nothing is wrong
    """End of a migration before a statement."""


@pytest.fixture
def statements():
    """Every statement that is sent; the migration is killed before the `fail_at`-th."""

    class Statements(list[str]):
        fail_at: int | None = None

    sent = Statements()

    def record(connection, cursor, statement, parameters, context, executemany):
        sent.append(statement)
        if sent.fail_at == len(sent):
            raise Killed

    event.listen(Engine, "before_cursor_execute", record)
    yield sent
    event.remove(Engine, "before_cursor_execute", record)


def test_no_step_after_0003_blocks_the_writers_of_a_big_table(postgres_url, statements):
    migrate.upgrade(postgres_url, LAST_BLOCKING)
    statements.clear()
    migrate.upgrade(postgres_url)
    migrate.downgrade(postgres_url, LAST_BLOCKING)
    assert any("test_schedules" in statement for statement in statements)
    assert linter.blocking(statements) == []


def test_a_migration_killed_at_any_statement_is_completed_later(postgres_url, connect, statements):
    def kill_and_complete(step, revision, fail_at):
        """Return True if the step has so many statements that it was killed."""
        statements.clear()
        statements.fail_at = fail_at
        killed = False
        try:
            step(postgres_url, revision)
        except Killed:
            killed = True
        statements.fail_at = None
        if killed:
            step(postgres_url, revision)
        assert migrate.current(postgres_url) == revision
        return killed

    migrate.upgrade(postgres_url, "0006")
    # Every fourth statement: the migration is repeated for each.
    for fail_at in count(1, 4):
        upgrade_killed = kill_and_complete(migrate.upgrade, REVISION, fail_at)
        downgrade_killed = kill_and_complete(migrate.downgrade, "0006", fail_at)
        if not (upgrade_killed or downgrade_killed):
            break
    assert fail_at > 40


def test_a_process_that_dies_lets_the_next_one_migrate(postgres_url, statements):
    statements.fail_at = 30
    with pytest.raises(Killed):
        migrate.upgrade(postgres_url)
    statements.fail_at = None
    start = time.monotonic()
    assert migrate.upgrade(postgres_url) == REVISION
    assert time.monotonic() - start < 30
