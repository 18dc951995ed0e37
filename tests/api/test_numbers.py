"""Whole numbers in bodies and queries: a fraction, a text or other notation is refused."""

import pytest

from tests.api.requests import adhoc, answered, create, define, pointers

NOT_WHOLE = [1.9, 1e-3, "5", "1.5", True, [5], {}]


@pytest.mark.parametrize("value", NOT_WHOLE)
@pytest.mark.parametrize("path", ["/api/test-runs", "/api/test-definitions"])
def test_a_timeout_is_a_whole_number(client, path, value):
    response = client.post(path, json=adhoc(timeoutSeconds=value))
    assert pointers(response) == {"/timeoutSeconds"}


@pytest.mark.parametrize("value", NOT_WHOLE)
@pytest.mark.parametrize(
    ("pointer", "part"),
    [
        ("/log/bytes", lambda value: {"log": {"state": "partial", "bytes": value}}),
        (
            "/failure/exitCode",
            lambda value: {"failure": {"class": "test", "reason": "Error", "exitCode": value}},
        ),
    ],
)
def test_the_numbers_of_a_report_are_whole_numbers(client, pointer, part, value):
    report = f"/api/test-runs/{create(client)['id']}/report"
    response = client.put(report, json={"status": "running", **part(value)})
    found = pointers(response)
    assert found
    assert all(at.startswith(pointer) for at in found)


@pytest.mark.parametrize(
    "value", ["1.5", "1.0", "1e1", "0x5", "1_0", "%205", "%2B5", "٣", "-1", ""]
)
def test_the_numbers_of_a_query_have_only_digits(client, value):
    run = f"/api/test-runs/{create(client)['id']}"
    assert pointers(client.get(f"/api/test-runs?limit={value}")) == {"/limit"}
    assert pointers(client.get(f"{run}/logs?tail={value}")) == {"/tail"}
    assert pointers(client.get(f"{run}/logs?offset={value}")) == {"/offset"}


def test_a_patch_without_a_body_is_refused(client):
    path = f"/api/test-definitions/{define(client)['id']}"
    refused = answered(client.patch(path), 422)
    assert "a body is needed" in refused["detail"]
    assert answered(client.patch(path, json={}), 200)["version"] == 2
