"""Health of the process and of its database."""

import pytest

from sparktest.api.store.tables import REVISION
from tests.api.requests import answered


def test_the_health_routes_answer_healthy_with_the_time(client):
    for path in ("/api/health", "/livez", "/readyz"):
        assert answered(client.get(path), 200) == {
            "status": "healthy",
            "timestamp": "2026-05-01T12:00:00Z",
        }


@pytest.fixture
def revision(store):
    """Return a function that sets the revision of the database."""

    def change(revision: str) -> None:
        with store.writing() as connection:
            statement = f"UPDATE alembic_version SET version_num = '{revision}'"
            connection.exec_driver_sql(statement)

    yield change
    change(REVISION)


def test_an_older_database_is_not_ready_and_the_error_names_the_command(client, revision):
    revision("0001")
    problem = answered(client.get("/readyz"), 503)
    assert "0001" in problem["detail"]
    assert "sparktest db upgrade" in problem["detail"]
    answered(client.get("/api/health"), 200)


def test_a_database_that_a_newer_version_has_migrated_is_ready(client, revision):
    revision("9999")
    answered(client.get("/readyz"), 200)


def test_the_database_of_another_program_is_not_ready(client, revision):
    revision("ae1027a6acf")
    answered(client.get("/readyz"), 503)


def test_controllers_are_listed_with_the_latest_request_first(client, clock):
    for cluster in ("one", "two"):
        client.get("/api/test-runs", headers={"SparkTest-Controller": cluster})
        clock.advance(1)

    assert answered(client.get("/api/controllers"), 200) == [
        {"cluster": "two", "seenAt": "2026-05-01T12:00:01Z"},
        {"cluster": "one", "seenAt": "2026-05-01T12:00:00Z"},
    ]
