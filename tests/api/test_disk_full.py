"""A disk that is full, or a file that became read-only, while the API serves (SQLite)."""

import pytest
from sqlalchemy import event

from sparktest.api import create_app
from sparktest.api.store import migrate
from sparktest.settings import Settings
from tests.api.requests import adhoc, ids


@pytest.fixture
def app(tmp_path):
    url = f"sqlite:///{tmp_path}/s.db"
    migrate.upgrade(url)
    made = create_app(Settings(database_url=url))
    yield made
    made.extensions["sparktest"].store.close()


@pytest.mark.parametrize("pragma", ["max_page_count = 130", "query_only = ON"])
def test_writes_get_503_and_nothing_that_was_acknowledged_is_lost(app, pragma):
    client = app.test_client()
    store = app.extensions["sparktest"].store
    stored = [client.post("/api/test-runs", json=adhoc()).get_json()["id"]]

    def limit(dbapi, record):
        dbapi.execute(f"PRAGMA {pragma}")

    store.close()
    event.listen(store.engine, "connect", limit)
    response = client.post("/api/test-runs", json=adhoc(name="x" * 200))
    while response.status_code == 201:
        stored.append(response.get_json()["id"])
        response = client.post("/api/test-runs", json=adhoc(name="x" * 200))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "the database cannot answer now" in response.get_json()["detail"]
    assert ids(client, "limit=1000") == stored[::-1]

    event.remove(store.engine, "connect", limit)
    store.close()
    stored.append(client.post("/api/test-runs", json=adhoc()).get_json()["id"])
    assert ids(client, "limit=1000") == stored[::-1]
