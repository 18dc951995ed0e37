"""Deferred rows: stored at the end of the transaction, in one statement for all works."""

from contextlib import suppress

import pytest
from sqlalchemy import insert, select

from sparktest.api.store.deferred import defer, savepoint
from sparktest.api.store.tables import ControllerRow
from tests.api.store.batches import NOW, in_one_batch, stored


@pytest.fixture
def inserts():
    """Collect the rows of each call of `add`."""
    return []


@pytest.fixture
def add(inserts):
    def add(connection, rows):
        inserts.append(rows)
        connection.execute(
            insert(ControllerRow), [{"cluster": row, "seen_at": NOW} for row in rows]
        )

    return add


def deferring(add, name, error=None):
    def work(connection):
        defer(connection, add, name)
        if error:
            raise error
        return connection.execute(select(ControllerRow)).all()

    return work


def test_the_rows_of_all_works_are_stored_together(store, add, inserts):
    assert in_one_batch(store, [deferring(add, name) for name in "abc"]) == [[]] * 3
    assert inserts == [["a", "b", "c"]]
    assert stored(store) == {"a", "b", "c"}


def test_the_rows_of_a_failed_work_are_dropped(store, add, inserts):
    works = [deferring(add, name, ValueError("no") if name in "ac" else None) for name in "abcd"]
    in_one_batch(store, works)
    assert inserts == [["b", "d"]]


def test_a_work_of_its_own_and_a_transaction_outside_of_requests_store_theirs(store, add):
    store.write(deferring(add, "a"))
    with store.writing() as connection:
        defer(connection, add, "b")
    assert stored(store) == {"a", "b"}


@pytest.mark.parametrize("through_writer", [True, False])
def test_nothing_is_left_of_a_failed_transaction(store, add, inserts, through_writer):
    def fail():
        if through_writer:
            store.write(deferring(add, "a", ValueError("no")))
        with store.writing() as connection:
            deferring(add, "a", ValueError("no"))(connection)

    with pytest.raises(ValueError, match="no"):
        fail()
    store.write(deferring(add, "b"))
    assert inserts == [["b"]]


def test_a_row_that_cannot_be_stored_fails_only_its_work(store, add):
    answers = in_one_batch(store, [deferring(add, name) for name in "aab"])
    assert [type(answer).__name__ for answer in answers] == ["list", "IntegrityError", "list"]
    assert stored(store) == {"a", "b"}


def test_rows_that_are_deferred_while_others_are_stored_are_stored_too(store, add):
    def add_later(connection, rows):
        for row in rows:
            defer(connection, add, row)

    in_one_batch(store, [deferring(add_later, name) for name in "ab"])
    assert stored(store) == {"a", "b"}


def test_a_work_may_undo_a_part_of_what_it_deferred(store, add):
    def work(connection):
        defer(connection, add, "a")
        with suppress(ValueError), savepoint(connection):
            defer(connection, add, "b")
            add(connection, ["c"])
            raise ValueError("no")
        with savepoint(connection):
            defer(connection, add, "d")

    store.write(work)
    assert stored(store) == {"a", "d"}
