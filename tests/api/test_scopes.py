"""The matrix of roles and routes: every operation of the OpenAPI document with every token."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from sparktest.api.authenticator import INCLUDED
from sparktest.api.rate_limit import RateLimit
from sparktest.domain import Scope
from sparktest.settings import Settings
from tests.api.credentials import BOOTSTRAP, bearer, issue
from tests.api.requests import adhoc, answered, create, of_testrun

ROLES = {
    "bootstrap": set(Scope),
    **{str(scope): INCLUDED[scope] for scope in Scope},
    "run and controller": {Scope.READ, Scope.RUN, Scope.CONTROLLER},
}
INVALID = ("no token", "wrong", "expired", "revoked")
PARAMETERS = {"job": "run-1", "container": "test"}

pytestmark = pytest.mark.usefixtures("token_needed")


@pytest.fixture
def headers(client, clock):
    """The headers of each role."""
    tokens = {str(scope): issue(client, scope)["token"] for scope in Scope}
    tokens["run and controller"] = issue(client, Scope.RUN, Scope.CONTROLLER)["token"]
    tokens |= {"bootstrap": BOOTSTRAP, "wrong": "spt_wrong"}
    tokens["expired"] = issue(client, Scope.ADMIN, until=clock.now + timedelta(1))["token"]
    clock.advance(86400)
    revoked = issue(client, Scope.ADMIN)
    tokens["revoked"] = revoked["token"]
    answered(client.delete(f"/api/tokens/{revoked['id']}", headers=bearer(BOOTSTRAP)), 204)
    return {"no token": {}} | {role: bearer(token) for role, token in tokens.items()}


def operations(client):
    document = answered(client.get("/api/openapi.json", headers=bearer(BOOTSTRAP)), 200)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield method, path, operation


def needed(operation):
    """Return the scopes of which one is needed; none for a route without authentication."""
    return {Scope(name) for each in operation["security"] for name in each["token"]}


def send(client, method, path, headers):
    url = re.sub(r"{(\w+)}", lambda name: PARAMETERS.get(name[1], str(uuid4())), path)
    body: dict[str, Any] = {} if method in ("get", "delete") else {"json": {}}
    with client.open(url, method=method.upper(), headers=headers, **body) as response:
        return response.status_code, response.get_data(as_text=True) if (
            response.status_code in (401, 403)
        ) else ""


@pytest.mark.parametrize("role", [*ROLES, *INVALID])
def test_every_operation_admits_exactly_the_tokens_that_the_document_names(
    client, ctx, headers, role
):
    ctx.wrong_tokens = RateLimit(10_000, 60.0)
    wrong = []
    for method, path, operation in operations(client):
        scopes = needed(operation)
        status, text = send(client, method, path, headers[role])
        if not scopes:
            right = status not in (401, 403)
        elif role in INVALID:
            right = status == 401
        elif scopes.isdisjoint(ROLES[role]):
            right = status == 403 and all(scope in text for scope in scopes)
        else:
            right = status not in (401, 403)
        if not right:
            wrong.append((method, path, status, text))
    assert wrong == []


def test_every_operation_names_its_scopes(client):
    for method, path, operation in operations(client):
        assert needed(operation) or operation["security"] == [], (method, path)


def test_writes_need_more_than_read(client):
    for method, path, operation in operations(client):
        if method != "get":
            assert Scope.READ not in needed(operation), (method, path)


def test_a_controller_may_do_what_it_sends_and_nothing_else(client):
    allowed = {
        (method, path)
        for method, path, operation in operations(client)
        if Scope.CONTROLLER in needed(operation)
    }
    assert allowed == {
        ("get", "/api/test-runs"),
        ("post", "/api/test-runs"),
        ("get", "/api/test-runs/{run_id}"),
        ("post", "/api/test-runs:missing"),
        ("put", "/api/test-runs/{run_id}/claim"),
        ("put", "/api/test-runs/{run_id}/report"),
        ("put", "/api/test-runs/{run_id}/logs/{container}"),
        ("get", "/api/tokens/self"),
    }


def test_a_controller_registers_testruns_and_starts_no_run(client, headers):
    response = client.post("/api/test-runs", json=adhoc(), headers=headers["controller"])
    assert "run" in answered(response, 403)["detail"]
    answered(client.post("/api/test-runs", json=of_testrun(), headers=headers["controller"]), 201)


@pytest.mark.parametrize("role", ["run", "admin"])
def test_without_the_scope_controller_no_testrun_is_registered(client, headers, role):
    response = client.post("/api/test-runs", json=of_testrun(), headers=headers[role])
    assert "controller" in answered(response, 403)["detail"]
    answered(client.post("/api/test-runs", json=adhoc(), headers=headers[role]), 201)


def test_only_admin_may_give_a_pod_privileges(client, headers):
    run = adhoc(serviceAccountName="robot")
    answered(client.post("/api/test-runs", json=run, headers=headers["run"]), 403)
    answered(client.post("/api/test-runs", json=run, headers=headers["admin"]), 201)


@pytest.mark.parametrize("role", ["bootstrap", "admin"])
def test_a_route_that_declares_no_scope_is_refused(app, client, headers, role, monkeypatch):
    endpoint, _ = app.url_map.bind("localhost").match("/api/test-runs")
    monkeypatch.delattr(app.view_functions[endpoint], "required_scopes")
    answered(client.get("/api/test-runs", headers=headers[role]), 403)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_paths_and_methods_that_do_not_exist_need_a_token_too(client, headers, method):
    answered(client.open("/nowhere", method=method), 401)
    answered(client.open("/nowhere", method=method, headers=headers["read"]), 404)
    answered(client.delete("/api/test-runs"), 401)
    answered(client.delete("/api/test-runs", headers=headers["read"]), 405)


def test_the_alias_of_runs_needs_the_same_scopes(client, headers):
    answered(client.get("/api/runs"), 401)
    answered(client.get("/api/runs", headers=headers["read"]), 200)
    answered(client.post("/api/runs", json=adhoc(), headers=headers["read"]), 403)
    assert client.head("/api/runs", headers=headers["run"]).status_code == 200


def test_without_a_token_in_the_settings_this_machine_may_do_everything(client, ctx):
    ctx.settings = Settings(namespace="tests")
    create(client, serviceAccountName="robot")
    own = answered(client.get("/api/tokens/self"), 200)
    assert (own["name"], own["scopes"]) == ("local", list(Scope))
