"""Health of the process and of its database."""

from tests.api.requests import answered


def test_the_health_routes_answer_healthy_with_the_time(client):
    for path in ("/api/health", "/livez", "/readyz"):
        assert answered(client.get(path), 200) == {
            "status": "healthy",
            "timestamp": "2026-05-01T12:00:00Z",
        }


def test_an_older_database_is_not_ready_and_the_error_names_the_command(client, store):
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    problem = answered(client.get("/readyz"), 503)
    assert "0001" in problem["detail"]
    assert "sparktest db upgrade" in problem["detail"]
    answered(client.get("/api/health"), 200)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")


def test_controllers_are_listed_with_the_latest_request_first(client, clock):
    for cluster in ("one", "two"):
        client.get("/api/test-runs", headers={"SparkTest-Controller": cluster})
        clock.advance(1)

    assert answered(client.get("/api/controllers"), 200) == [
        {"cluster": "two", "seenAt": "2026-05-01T12:00:01Z"},
        {"cluster": "one", "seenAt": "2026-05-01T12:00:00Z"},
    ]
