"""Many rows that are inserted at once are stored as single ones would be."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from sparktest.api.store.bulk import insert_many
from sparktest.api.store.tables import ControllerRow

NOW = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = ("plain", "with 'quotes' and \"others\"", "back\\slash", "\u0416\U0001f600", "%s ? :x", "")
ADD = insert(ControllerRow)
ADD_OR_SKIP = sqlite.insert(ControllerRow).on_conflict_do_nothing()


def rows(*names):
    return [{"cluster": name, "seen_at": NOW} for name in names]


def stored(connection):
    found = connection.execute(select(ControllerRow.cluster, ControllerRow.seen_at))
    return {row.cluster: row.seen_at for row in found}


def test_texts_and_times_arrive_as_they_are(store):
    with store.writing() as connection:
        insert_many(connection, ADD, rows(*TEXTS))
        assert stored(connection) == dict.fromkeys(TEXTS, NOW)


def test_a_row_that_is_there_already_is_an_error(store):
    with pytest.raises(IntegrityError), store.writing() as connection:
        insert_many(connection, ADD, rows("a", "b", "a"))


def test_a_row_that_is_there_already_can_be_left_out(store):
    with store.writing() as connection:
        insert_many(connection, ADD_OR_SKIP, rows("a"), skip_conflicts=True)
        insert_many(connection, ADD_OR_SKIP, rows("a", "b"), skip_conflicts=True)
        assert set(stored(connection)) == {"a", "b"}
