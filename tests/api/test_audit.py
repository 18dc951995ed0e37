"""The audit of writes: what is recorded, with what, and how it is filtered."""

import re

import pytest

from sparktest.domain import Scope
from tests.api.credentials import BOOTSTRAP, bearer, issue
from tests.api.requests import adhoc, answered, of_testrun

ROOT = bearer(BOOTSTRAP)

pytestmark = pytest.mark.usefixtures("token_needed")


@pytest.fixture
def ci(client):
    """The headers of a token called ci, whose creation is the first entry."""
    scopes = (Scope.ADMIN, Scope.CONTROLLER)
    return bearer(issue(client, *scopes, name="ci")["token"])


def audit(client, query=""):
    return answered(client.get(f"/api/audit?{query}", headers=ROOT), 200)


def start(client, headers, **fields):
    response = client.post("/api/test-runs", json=adhoc(**fields), headers=headers)
    return answered(response, 201)["id"]


def test_an_entry_says_who_wrote_what_and_when(client, clock, ci):
    clock.advance(5)
    run = start(client, ci)
    entry, creation = audit(client)
    assert entry == {
        "at": "2026-05-01T12:00:05Z",
        "actor": "ci",
        "method": "POST",
        "path": "/api/test-runs",
        "status": 201,
        "objectId": run,
    }
    assert (creation["actor"], creation["path"]) == ("bootstrap", "/api/tokens")


def test_every_kind_of_write_names_its_object(client, ci):
    run = start(client, ci)
    answered(client.post(f"/api/runs/{run}/cancel", headers=ci), 202)
    body = {"name": "smoke", "image": "i"}
    definition = answered(client.post("/api/test-definitions", json=body, headers=ci), 201)["id"]
    url = f"/api/test-definitions/{definition}"
    answered(client.patch(url, json={"image": "j"}, headers=ci), 200)
    answered(client.delete(url, headers=ci), 204)
    entries = [(each["method"], each["status"], each["objectId"]) for each in audit(client)]
    assert entries[:-1] == [
        ("DELETE", 204, definition),
        ("PATCH", 200, definition),
        ("POST", 201, definition),
        ("POST", 202, run),
        ("POST", 201, run),
    ]


def test_what_is_refused_or_only_read_is_not_in_it(client, ci):
    start(client, ci)
    before = audit(client)
    client.get("/api/test-runs", headers=ci)
    client.post("/api/test-runs", json={}, headers=ci)
    client.delete("/api/test-runs/0d9f1c9e-6a5e-4c1d-9a37-0c6e0f1a2b3c", headers=ci)
    client.post("/api/test-runs", json=adhoc())
    assert audit(client) == before


def test_what_a_controller_sends_is_not_in_it(client, ci):
    before = audit(client)
    run = answered(client.post("/api/test-runs", json=of_testrun(), headers=ci), 201)["id"]
    url = f"/api/test-runs/{run}"
    claim = {"cluster": "cluster-1"}
    answered(client.put(f"{url}/claim", json=claim, headers=ci), 200)
    answered(client.put(f"{url}/report", json={"status": "running"}, headers=ci), 200)
    log = {"data": b"x", "content_type": "application/octet-stream"}
    answered(client.put(f"{url}/logs/test?offset=0", headers=ci, **log), 200)
    assert audit(client) == before


def test_a_write_that_fails_leaves_no_entry_and_an_entry_that_fails_no_write(
    client, ci, monkeypatch
):
    before = audit(client)
    monkeypatch.setattr("sparktest.api.audit.store.add", broken)
    assert client.post("/api/test-runs", json=adhoc(), headers=ci).status_code == 500
    monkeypatch.undo()
    assert audit(client) == before
    assert answered(client.get("/api/test-runs", headers=ROOT), 200) == []


def test_it_can_be_filtered(client, clock, ci):
    first = start(client, ci)
    clock.advance(60)
    second = start(client, ROOT)
    assert [entry["objectId"] for entry in audit(client, "actor=ci")] == [first]
    assert [entry["objectId"] for entry in audit(client, f"objectId={second.upper()}")] == [second]
    minute = "2026-05-01T12:01:00Z"
    assert [entry["objectId"] for entry in audit(client, f"since={minute}")] == [second]
    assert second not in [entry["objectId"] for entry in audit(client, f"until={minute}")]
    assert audit(client, f"actor=ci&since={minute}") == []
    answered(client.get("/api/audit?who=ci", headers=ROOT), 422)


def test_it_has_pages(client, ci):
    runs = [start(client, ci) for _ in range(5)]
    seen, link = [], "?actor=ci&limit=2"
    while link:
        response = client.get(f"/api/audit{link}", headers=ROOT)
        seen += [entry["objectId"] for entry in answered(response, 200)]
        link = "".join(re.findall(r"<(.+)>", response.headers.get("Link", "")))
    assert seen == runs[::-1]


def broken(*args):
    raise RuntimeError("the audit is broken")
