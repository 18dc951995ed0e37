"""The migrations match the tables, and an upgrade or downgrade loses no row."""

import fcntl
import json
import multiprocessing
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from sparktest.api.store import migrate
from sparktest.api.store.tables import REVISION, Base
from sparktest.errors import InvalidError, UnavailableError

RUN = """
INSERT INTO test_runs (id, name, status, image, commands, entrypoint, args, env, env_from,
  resources, image_pull_secrets, timeout_seconds, namespace, job_name, labels, created_at,
  updated_at, log_state, log_bytes, version)
VALUES ('00000000-0000-4000-8000-00000000000{n}', 'run {n}', 'pending', 'busybox', '[]', '[]',
  '[]', '{{}}', '[]', '{{}}', '[]', 60, 'default', 'job', '{{}}', '2026-01-01 00:00:00',
  '2026-01-01 00:00:00', 'none', 0, 1)
"""
DEFINITION = """
INSERT INTO test_definitions (id, created_at, version, image, commands, args, env, env_from,
  resources, image_pull_secrets, name, description, command, labels)
VALUES ('00000000-0000-4000-8000-00000000000{n}', '2026-01-01 00:00:00', 1, 'busybox', '[]', '[]',
  '{{}}', '[]', '{{}}', '[]', '{name}', '', '[]', '[]')
"""


def test_an_empty_database_has_no_revision_and_gets_the_newest(url):
    assert migrate.current(url) == ""
    assert migrate.upgrade(url) == REVISION
    assert migrate.current(url) == REVISION


def test_the_migrations_create_exactly_the_tables_of_the_code(url, connect):
    migrate.upgrade(url)
    with connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_existing_runs_are_found_by_the_words_and_the_class_of_their_failure(url, connect):
    migrate.upgrade(url, "0006")
    failure = json.dumps({"class": "infra", "reason": "OOMKilled", "message": "used 2Gi"})
    with connect() as connection:
        for n in range(1, 3):
            connection.execute(text(RUN.format(n=n)))
        connection.execute(text("INSERT INTO test_run_labels VALUES (1, 'team', 'web')"))
        connection.execute(text("INSERT INTO test_run_words VALUES (2, '00000000')"))
        connection.execute(
            text("UPDATE test_runs SET failure = :failure WHERE seq = 2"), {"failure": failure}
        )
    migrate.upgrade(url)
    with connect() as connection:
        words = connection.execute(text("SELECT run_seq, word FROM test_run_words")).all()
        assert {tuple(row) for row in words} == {
            *((1, word) for word in ("default", "team", "web")),
            *((2, word) for word in ("default", "oomkilled", "used", "2gi")),
        }
        parts = "SELECT part FROM test_run_word_parts WHERE word = 'team'"
        assert set(connection.execute(text(parts)).scalars()) == {"team", "eam", "am", "m"}
        classes = "SELECT failure_class FROM test_runs ORDER BY seq"
        assert connection.execute(text(classes)).scalars().all() == [None, "infra"]


def test_of_two_definitions_of_one_name_the_newer_gets_a_number(url, connect):
    migrate.upgrade(url, "0003")
    with connect() as connection:
        for n, name in enumerate(("smoke", "smoke", "smoke (2)", "smoke", "x" * 200, "x" * 200)):
            connection.execute(text(DEFINITION.format(n=n, name=name)))
    migrate.upgrade(url)
    with connect() as connection:
        names = connection.execute(text("SELECT name FROM test_definitions ORDER BY seq")).scalars()
        expected = ["smoke", "smoke (3)", "smoke (2)", "smoke (4)", "x" * 200, "x" * 196 + " (2)"]
        assert names.all() == expected


@pytest.mark.parametrize("bad", ["status = 'done'", "origin = 'ui'", "log_state = 'lost'"])
def test_constraints_hold_after_a_downgrade_and_an_upgrade(url, connect, bad):
    migrate.upgrade(url)
    migrate.downgrade(url, "0001")
    migrate.upgrade(url)
    with connect() as connection:
        connection.execute(text(RUN.format(n=1)))
    with pytest.raises(IntegrityError), connect() as connection:
        connection.execute(text(f"UPDATE test_runs SET {bad}"))


def test_all_migrations_can_be_undone(url, connect):
    migrate.upgrade(url)
    migrate.downgrade(url, "base")
    with connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
        left = connection.dialect.get_table_names(connection)
    assert [table for table in left if table.startswith("test_")] == []


def test_four_processes_at_once_migrate_once(url):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([migrate.__name__])
    with processes.Pool(4) as pool:
        assert pool.map(migrate.upgrade, [url] * 4) == [REVISION] * 4


def test_a_failed_migration_changes_nothing(url, connect):
    migrate.upgrade(url, "0001")
    with connect() as connection:
        connection.execute(text("CREATE TABLE controllers (cluster TEXT)"))
    with pytest.raises((UnavailableError, ProgrammingError)):
        migrate.upgrade(url)
    assert migrate.current(url) == "0001"
    with connect() as connection:
        columns = connection.execute(text("SELECT * FROM test_runs")).keys()
    assert "origin" not in columns


@pytest.mark.parametrize("revision", ["0002x", "head", "-1", "' OR 1"])
def test_a_downgrade_needs_a_known_revision(url, revision):
    migrate.upgrade(url)
    with pytest.raises(InvalidError, match=f"no revision {revision!r}; use one of: base, 0001, "):
        migrate.downgrade(url, revision)


def test_a_downgrade_to_a_newer_revision_is_refused(url):
    migrate.upgrade(url, "0001")
    with pytest.raises(InvalidError, match="at revision 0001, which is before 0003"):
        migrate.downgrade(url, "0003")


def test_a_database_of_a_newer_version_is_refused(url, connect):
    migrate.upgrade(url)
    with connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InvalidError, match="newer SparkTest"):
        migrate.upgrade(url)


class TestSQLite:
    """Behaviour of SQLite files."""

    def test_directory_and_file_are_private_to_the_user(self, tmp_path):
        path = tmp_path / "data" / "sparktest.db"
        migrate.upgrade(f"sqlite:///{path}")
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600

    def test_readers_do_not_block_writers(self, tmp_path):
        path = tmp_path / "sparktest.db"
        migrate.upgrade(f"sqlite:///{path}")
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()

    def test_a_percent_sign_in_the_path_is_taken_literally(self, tmp_path):
        assert migrate.upgrade(f"sqlite:///{tmp_path}/100%25/s.db") == REVISION

    def test_a_second_process_waits_until_the_first_has_migrated(self, tmp_path):
        # SQLite's own lock does not cover the step that turns on the write-ahead log.
        url = f"sqlite:///{tmp_path}/s.db"
        first = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=migrate.upgrade, args=(url,))
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert migrate.current(url) == ""
        os.close(first)
        second.join(20)
        assert migrate.current(url) == REVISION

    def test_current_creates_no_file(self, tmp_path):
        assert migrate.current(f"sqlite:///{tmp_path}/none.db") == ""
        assert list(Path(tmp_path).iterdir()) == []

    def test_a_file_of_another_program_is_refused(self, tmp_path):
        (tmp_path / "s.db").write_bytes(b"not SQLite" * 100)
        with pytest.raises(InvalidError, match="not a database"):
            migrate.upgrade(f"sqlite:///{tmp_path}/s.db")

    def test_a_path_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(InvalidError, match=r"SPARKTEST_DATABASE_URL: .*/file/s.db: "):
            migrate.upgrade(f"sqlite:///{tmp_path}/file/s.db")
