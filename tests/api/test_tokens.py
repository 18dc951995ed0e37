"""Tokens: create, list, use, revoke."""

import re
from datetime import timedelta

import pytest

from sparktest.domain import Scope
from tests.api.credentials import BOOTSTRAP, bearer, issue
from tests.api.requests import answered, pointers

ROOT = bearer(BOOTSTRAP)

pytestmark = pytest.mark.usefixtures("token_needed")


def create(client, **fields):
    body = {"name": "ci", "scopes": ["run"], **fields}
    return client.post("/api/tokens", json=body, headers=ROOT)


class TestCreation:
    def test_the_answer_has_the_whole_token_and_nothing_else_does(self, client, store):
        response = create(client)
        made = answered(response, 201)
        assert re.fullmatch(r"spt_[0-9a-f]{32}_[0-9a-f]{64}", made["token"])
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Location"] == f"tokens/{made['id']}"
        shown = {key: value for key, value in made.items() if key != "token"}
        assert answered(client.get("/api/tokens", headers=ROOT), 200) == [shown]
        assert answered(client.get(f"/api/tokens/{made['id']}", headers=ROOT), 200) == shown
        with store.reading() as connection:
            row = connection.exec_driver_sql("SELECT * FROM tokens").fetchall()
        assert made["token"].rpartition("_")[2] not in str(row)

    def test_tokens_are_all_different(self, client):
        tokens = {issue(client, Scope.READ)["token"] for _ in range(20)}
        assert len({token.rpartition("_")[2] for token in tokens}) == 20

    def test_a_second_one_of_the_same_name_is_refused(self, client):
        answered(create(client), 201)
        assert "'ci'" in answered(create(client), 409)["detail"]
        assert len(answered(client.get("/api/tokens", headers=ROOT), 200)) == 1

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ({"name": ""}, "/name"),
            ({"name": "x" * 201}, "/name"),
            ({"name": "a\nb"}, "/name"),
            ({"name": " a"}, "/name"),
            ({"name": "bootstrap"}, "/name"),
            ({"name": "local"}, "/name"),
            ({"scopes": []}, "/scopes"),
            ({"scopes": None}, "/scopes"),
            ({"scopes": ["root"]}, "/scopes/0"),
            ({"expiresAt": "tomorrow"}, "/expiresAt"),
            ({"expiresAt": "2026-05-01T12:00:00Z"}, "/expiresAt"),
        ],
    )
    def test_invalid_fields_are_named(self, client, fields, pointer):
        assert pointers(create(client, **fields)) == {pointer}


class TestList:
    def test_it_has_pages_newest_first(self, client):
        names = [issue(client, Scope.READ)["name"] for _ in range(3)]
        response = client.get("/api/tokens?limit=2", headers=ROOT)
        page = answered(response, 200)
        assert [token["name"] for token in page] == names[:0:-1]
        (link,) = re.findall(r"<(.+)>", response.headers["Link"])
        rest = answered(client.get(f"/api/tokens{link}", headers=ROOT), 200)
        assert [token["name"] for token in rest] == names[:1]


class TestOwn:
    def test_it_says_what_the_token_may_do(self, client, clock):
        until = clock.now + timedelta(hours=1)
        token = issue(client, Scope.RUN, Scope.CONTROLLER, name="ci", until=until)["token"]
        own = answered(client.get("/api/tokens/self", headers=bearer(token)), 200)
        assert own == {
            "name": "ci",
            "scopes": ["read", "run", "controller"],
            "expiresAt": "2026-05-01T13:00:00Z",
        }

    def test_the_token_of_the_settings_has_all_scopes(self, client):
        own = answered(client.get("/api/tokens/self", headers=ROOT), 200)
        assert own == {"name": "bootstrap", "scopes": list(Scope), "expiresAt": None}


class TestRevocation:
    def test_a_revoked_token_is_refused_at_once(self, client):
        made = issue(client, Scope.READ)
        headers = bearer(made["token"])
        answered(client.get("/api/test-runs", headers=headers), 200)
        answered(client.delete(f"/api/tokens/{made['id']}", headers=ROOT), 204)
        answered(client.get("/api/test-runs", headers=headers), 401)
        answered(client.delete(f"/api/tokens/{made['id']}", headers=ROOT), 404)
        answered(client.get(f"/api/tokens/{made['id']}", headers=ROOT), 404)

    def test_its_name_can_be_used_again(self, client):
        first = issue(client, Scope.READ, name="ci")
        answered(client.delete(f"/api/tokens/{first['id']}", headers=ROOT), 204)
        second = issue(client, Scope.READ, name="ci")
        assert second["token"] != first["token"]


def test_an_expired_token_is_refused(client, clock):
    token = issue(client, Scope.READ, until=clock.now + timedelta(seconds=10))["token"]
    answered(client.get("/api/test-runs", headers=bearer(token)), 200)
    clock.advance(10)
    answered(client.get("/api/test-runs", headers=bearer(token)), 401)


def test_a_wrong_secret_with_a_known_id_is_refused(client):
    token = issue(client, Scope.READ)["token"]
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    answered(client.get("/api/test-runs", headers=bearer(wrong)), 401)
    answered(client.get("/api/test-runs", headers=bearer(token)), 200)


def test_the_last_use_is_stored_after_the_request(client, ctx, clock):
    made = issue(client, Scope.READ)
    clock.advance(5)
    answered(client.get("/api/test-runs", headers=bearer(made["token"])), 200)
    ctx.authenticator.flush()
    (shown,) = answered(client.get("/api/tokens", headers=ROOT), 200)
    assert shown["lastUsedAt"] == "2026-05-01T12:00:05Z"
