"""The page /metrics."""

from prometheus_client.parser import text_string_to_metric_families

from sparktest.api import metrics_page
from tests.api.requests import answered, create, report


def samples(client) -> dict[tuple[str, ...], float]:
    """Return all samples of the page by name and values of the labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
        for sample in family.samples
    }


def requests_of(found, route: str, method: str, status: str) -> float:
    key = ("sparktest_http_request_duration_seconds_count", method, route, status)
    return float(found.get(key, 0))


def test_requests_are_counted_by_the_rule_of_their_route(client):
    run = create(client)
    answered(client.get(f"/api/test-runs/{run['id']}"), 200)
    client.get("/api/test-runs/00000000-0000-0000-0000-000000000000")
    client.get("/nowhere/<script>")
    found = samples(client)
    assert requests_of(found, "/api/test-runs", "POST", "2xx") == 1
    assert requests_of(found, "/api/test-runs/<uuid:run_id>", "GET", "2xx") == 1
    assert requests_of(found, "/api/test-runs/<uuid:run_id>", "GET", "4xx") == 1
    assert requests_of(found, "none", "GET", "4xx") == 1
    assert run["id"] not in str(found)
    assert "script" not in str(found)


def test_runs_are_counted_by_status_now_and_then(client, monkeypatch):
    create(client)
    report(client, create(client)["id"], "running")
    assert samples(client)["sparktest_runs", "pending"] == 1
    create(client)
    found = samples(client)
    assert (found["sparktest_runs", "pending"], found["sparktest_runs", "running"]) == (1, 1)
    assert found["sparktest_runs", "succeeded"] == 0
    monkeypatch.setattr(metrics_page, "COUNT_EVERY_SECONDS", 0.0)
    assert samples(client)["sparktest_runs", "pending"] == 2


def test_bytes_of_logs_are_counted(client):
    run = create(client)["id"]
    client.put(
        f"/api/test-runs/{run}/logs/test?offset=0",
        data=b"12345",
        content_type="application/octet-stream",
    )
    assert samples(client)["sparktest_log_bytes_total",] == 5
