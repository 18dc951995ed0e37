"""Fields that need the scope admin, and what a request without it can do."""

import pytest

from tests.api.requests import adhoc, answered, define, pointers, register

GIT = {"url": "https://example.com/a.git", "secretName": "key"}
PRIVILEGED = [
    ("serviceAccountName", "robot", "/serviceAccountName"),
    ("envFrom", [{"secretRef": {"name": "s"}}], "/envFrom"),
    ("imagePullSecrets", [{"name": "s"}], "/imagePullSecrets"),
    ("template", {"spec": {"nodeName": "n"}}, "/template"),
    ("git", GIT, "/git/secretName"),
]


@pytest.mark.parametrize(("field", "value", "pointer"), PRIVILEGED)
class TestFields:
    @pytest.mark.usefixtures("not_admin")
    def test_without_admin_a_request_is_refused_with_the_field(self, client, field, value, pointer):
        run = {field: value}
        definition = define(client)["id"]
        for response in (
            client.post("/api/test-runs", json=adhoc(**run)),
            client.post(f"/api/test-definitions/{definition}/run", json=run),
        ):
            assert pointers(response, 403) == {pointer}
            assert pointer in response.get_json()["detail"]
        assert answered(client.get("/api/test-runs"), 200) == []

    def test_with_admin_an_api_run_has_the_field(self, client, field, value, pointer):
        run = answered(client.post("/api/test-runs", json=adhoc(**{field: value})), 201)
        assert run[field] == value

    @pytest.mark.usefixtures("not_admin")
    def test_definitions_and_testruns_may_have_the_field(self, client, field, value, pointer):
        definition = define(client, **{field: value})
        run = answered(client.post(f"/api/test-definitions/{definition['id']}/run"), 201)
        assert run[field] == definition[field] == register(client, **{field: value})[field] == value


@pytest.mark.usefixtures("not_admin")
def test_without_admin_every_privileged_field_is_named_and_empty_ones_are_not(client):
    run = adhoc(envFrom=[], template={}, serviceAccountName="robot", git=GIT)
    response = client.post("/api/test-runs", json=run)
    assert pointers(response, 403) == {"/serviceAccountName", "/git/secretName"}
    empty = adhoc(
        envFrom=[], template={}, imagePullSecrets=[], git={"url": "https://example.com/a.git"}
    )
    answered(client.post("/api/test-runs", json=empty), 201)
