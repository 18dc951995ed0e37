"""Transactions of the store, its errors, and its column types."""

import threading
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from sparktest.api.store import engine, open_store
from sparktest.api.store.engine import engine_options, parse_url
from sparktest.api.store.run_tables import RunTermRow
from sparktest.api.store.tables import ControllerRow, DefinitionRow, Json, UtcTime
from sparktest.errors import InvalidError, UnavailableError

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def seen(connection):
    found = select(ControllerRow.seen_at).where(ControllerRow.cluster == "c")
    return connection.execute(found.with_for_update()).scalar_one()


class TestTransactions:
    def test_no_update_is_lost_between_reading_and_writing(self, store):
        with store.writing() as connection:
            connection.execute(insert(ControllerRow).values(cluster="c", seen_at=NOW))

        def count():
            for _ in range(25):
                with store.writing() as connection:
                    later = seen(connection) + timedelta(seconds=1)
                    connection.execute(update(ControllerRow).values(seen_at=later))

        threads = [threading.Thread(target=count) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.reading() as connection:
            assert seen(connection) == NOW + timedelta(seconds=150)

    def test_a_failed_transaction_is_rolled_back(self, store):
        def fail():
            with store.writing() as connection:
                connection.execute(insert(ControllerRow).values(cluster="c", seen_at=NOW))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        with store.reading() as connection:
            assert connection.execute(select(ControllerRow)).all() == []

    def test_a_reader_sees_what_others_commit_while_it_reads(self, store):
        with store.reading() as reader:
            assert reader.execute(select(ControllerRow)).all() == []
            with store.writing() as connection:
                connection.execute(insert(ControllerRow).values(cluster="c", seen_at=NOW))
            assert len(reader.execute(select(ControllerRow)).all()) == 1

    def test_a_child_needs_its_parent(self, store):
        row = insert(RunTermRow).values(word="x", run_seq=99)
        with pytest.raises(IntegrityError), store.writing() as connection:
            connection.execute(row)


class TestUnavailable:
    def test_an_exhausted_pool_raises_unavailable(self, store, monkeypatch):
        monkeypatch.setattr(store.engine.pool, "_timeout", 0.01)
        held = [store.engine.connect() for _ in range(engine.POOL_SIZE)]
        with pytest.raises(UnavailableError) as raised, store.reading():
            pass
        assert raised.value.retry_after
        for connection in held:
            connection.close()
        with store.reading():
            pass

    def test_an_unreachable_server_raises_unavailable(self):
        store = open_store(
            Flask("unreachable"), "postgresql://u:canary@127.0.0.1:1/none?connect_timeout=1"
        )
        with pytest.raises(UnavailableError) as raised, store.reading():
            pass
        assert "canary" not in "".join(traceback.format_exception(raised.value))


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("", "cannot be read"),
            ("nonsense", "cannot be read"),
            ("postgresql://u:p@h:port/d", "cannot be read"),
            ("mysql://h/d", "mysql is not supported"),
            ("sqlite://", "in memory"),
            ("sqlite:///:memory:", "in memory"),
            ("postgresql+nope://h/d", "driver is not known"),
        ],
    )
    def test_an_invalid_url_is_reported_with_its_setting(self, url, problem):
        with pytest.raises(InvalidError, match="SPARKTEST_DATABASE_URL.*" + problem):
            open_store(Flask("bad"), url)

    def test_a_missing_driver_names_what_to_install(self, monkeypatch):
        def missing(*args, **kw):
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

        monkeypatch.setattr("sqlalchemy.engine.url.URL._get_entrypoint", missing)
        with pytest.raises(InvalidError, match=r"psycopg: pip install 'sparktest\[postgres\]'"):
            open_store(Flask("bare"), "postgresql://h/d")

    def test_the_short_scheme_means_postgresql(self):
        assert parse_url("postgres://h/d").drivername == "postgresql"

    def test_a_password_is_not_shown(self):
        url = parse_url("postgresql://u:canary@h/d")
        assert "canary" not in repr(url) + repr(engine_options(url))
        assert engine_options(url)["hide_parameters"] is True


class TestTypes:
    def test_a_time_without_a_zone_is_refused(self, store):
        naive = NOW.replace(tzinfo=None)
        with pytest.raises(Exception, match="without a zone"), store.writing() as connection:
            connection.execute(insert(ControllerRow).values(cluster="c", seen_at=naive))

    def test_a_time_is_returned_in_utc(self, store):
        there = datetime(2026, 5, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
        with store.writing() as connection:
            connection.execute(insert(ControllerRow).values(cluster="c", seen_at=there))
        with store.reading() as connection:
            back = seen(connection)
        assert (back, back.tzinfo) == (there, UTC)

    def test_none_is_null_and_not_the_word_null(self):
        assert Json().process_bind_param(None, None) is None  # type: ignore[arg-type]
        assert UtcTime().process_bind_param(None, None) is None  # type: ignore[arg-type]

    def test_text_of_any_language_is_returned_unchanged(self, store):
        env = {"A": "\u00e9\u4e2d\U0001f600\u2028\"\\'"}
        row = insert(DefinitionRow).values(
            id="x" * 36, name="\U0001f600", env=env, created_at=NOW, executor_id=None
        )
        with store.writing() as connection:
            connection.execute(row)
        with store.reading() as connection:
            found = connection.execute(select(DefinitionRow.name, DefinitionRow.env)).one()
        assert tuple(found) == ("\U0001f600", env)
