"""Room of deleted rows in SQLite files."""

import pytest
from sqlalchemy import create_engine

from sparktest.api.store import Store, free_pages, migrate
from sparktest.api.store.engine import parse_url


@pytest.fixture
def store(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    migrate.upgrade(url)
    opened = Store(create_engine(parse_url(url)))
    with opened.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE big (data BLOB)")
        for _ in range(200):
            connection.exec_driver_sql("INSERT INTO big VALUES (zeroblob(10000))")
    yield opened
    opened.close()


def pages(store, name="page_count"):
    with store.reading() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_room_is_given_back_in_steps_until_little_is_free(store):
    assert not store.write(free_pages.give_back)
    before = pages(store)
    store.write(lambda connection: connection.exec_driver_sql("DELETE FROM big") and None)
    assert pages(store, "freelist_count") > 400
    steps = 0
    while store.write(free_pages.give_back):
        steps += 1
        assert before - pages(store) <= steps * free_pages.STEP_PAGES + 2
    assert pages(store, "freelist_count") <= 0.1 * pages(store) < before / 2
    assert steps > 3
