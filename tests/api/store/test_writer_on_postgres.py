"""Group commit on PostgreSQL: lost connections, timeouts, deadlocks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from sparktest.api.store import Store
from sparktest.api.store.tables import ControllerRow
from sparktest.errors import UnavailableError
from tests.api.store.batches import NOW, adding, caught, in_one_batch, stored


@pytest.fixture(autouse=True)
def postgres_only(store):
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no row locks, and no server to lose")


def test_a_lost_connection_fails_the_whole_batch(store):
    def lose(connection):
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def swallow(connection):
        caught(lose, connection)

    for losing in (lose, swallow):
        answers = in_one_batch(store, [adding("a"), losing, adding("b")])
        assert [type(answer) for answer in answers] == [UnavailableError] * 3
        assert stored(store) == set()
    assert store.write(adding("c")) == "c"


def test_a_statement_timeout_fails_only_its_work(store):
    def slow(connection):
        connection.execute(text("SET LOCAL statement_timeout = 1"))
        connection.execute(text("SELECT pg_sleep(10)"))

    first, second, third = in_one_batch(store, [adding("a"), slow, adding("b")])
    assert (first, type(second), third) == ("a", UnavailableError, "b")
    assert stored(store) == {"a", "b"}


def test_a_work_that_ignores_an_error_of_a_statement_fails_alone(store):
    def ignore(connection):
        caught(connection.execute, text("SELECT 1/0"))

    first, second, third = in_one_batch(store, [adding("a"), ignore, adding("b")])
    assert (first, third) == ("a", "b")
    assert isinstance(second, Exception)
    assert stored(store) == {"a", "b"}


def test_batches_that_deadlock_are_executed_again_work_by_work(store):
    other = Store(store.engine)
    for name in "xy":
        store.write(adding(name))

    def later(name):
        def work(connection):
            row = ControllerRow.cluster == name
            query = select(ControllerRow.seen_at).where(row).with_for_update()
            seen = connection.execute(query).scalar_one() + timedelta(seconds=1)
            connection.execute(update(ControllerRow).where(row).values(seen_at=seen))

        return work

    def meet(connection):
        # Both batches have locked their first row; when repeated, nobody comes.
        caught(both.wait, 1)

    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as executor:
        orders = [[later("x"), meet, later("y")], [later("y"), meet, later("x")]]
        answers = executor.map(in_one_batch, [store, other], orders)
    other.close()
    assert list(answers) == [[None] * 3] * 2
    with store.reading() as connection:
        seen = connection.execute(select(ControllerRow.seen_at)).scalars().all()
    assert seen == [NOW + timedelta(seconds=2)] * 2
