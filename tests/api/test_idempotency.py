"""Idempotency-Key: the same request again gets the first response, and creates nothing."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
import requests
from sqlalchemy import func, select
from werkzeug.serving import make_server

from sparktest.api import auth, create_app
from sparktest.api.store.access_tables import IdempotencyKeyRow
from sparktest.errors import UnavailableError
from sparktest.settings import Settings
from tests.api.requests import adhoc, answered, concurrently, create, define, ids, of_testrun

RUNS = "/api/test-runs"


def post(client, key, body=None, path=RUNS):
    body = adhoc() if body is None else body
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def parts(response):
    """Return what a repeated request must get again."""
    headers = {
        name: value for name, value in response.headers.items() if name != "Idempotent-Replayed"
    }
    return response.status_code, response.data, headers


def kept(store) -> int:
    with store.reading() as connection:
        query = select(func.count()).select_from(IdempotencyKeyRow)
        return int(connection.execute(query).scalar_one())


class TestReplay:
    def test_a_repeated_request_gets_the_first_response(self, client, clock):
        first = post(client, "k", adhoc(unknown=1))
        run = answered(first, 201)
        answered(client.post(f"{RUNS}/{run['id']}/cancel"), 202)
        clock.advance(3600)
        again = post(client, "k", adhoc(unknown=1))
        assert parts(again) == parts(first)
        assert "unknown" in again.headers["Warning"]
        assert again.headers["Location"].endswith(run["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        assert ids(client) == [run["id"]]

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("{runs}/{run}/rerun", {}, 201),
            ("{runs}/{run}/rerun", {"name": "again"}, 201),
            ("{runs}/{run}/cancel", {}, 202),
            ("/api/test-definitions/{definition}/run", {}, 201),
            ("/api/test-definitions", {"name": "new", "image": "i"}, 201),
            ("/api/test-executors", {"name": "new", "image": "i"}, 201),
            (RUNS, of_testrun(), 201),
        ],
    )
    def test_every_post_that_creates_can_be_repeated(self, client, path, body, status):
        run, definition = create(client)["id"], define(client)["id"]
        path = path.format(runs=RUNS, run=run, definition=definition)
        first = post(client, "k", body, path)
        answered(first, status)
        before = ids(client)
        assert parts(post(client, "k", body, path)) == parts(first)
        assert ids(client) == before

    def test_a_body_without_content_can_be_repeated(self, client):
        path = f"{RUNS}/{create(client)['id']}/rerun"
        first, again = (client.post(path, headers={"Idempotency-Key": "k"}) for _ in range(2))
        assert parts(first) == parts(again)

    def test_another_key_creates_another_run(self, client):
        assert len({answered(post(client, key), 201)["id"] for key in ("a", "b")}) == 2

    def test_without_a_key_every_request_creates_a_run(self, client, store):
        create(client)
        create(client)
        assert len(ids(client)) == 2
        assert kept(store) == 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "body"),
        [(RUNS, adhoc(name="other")), ("/api/runs", adhoc()), (f"{RUNS}/{{run}}/rerun", adhoc())],
    )
    def test_another_request_with_the_same_key_is_refused(self, client, path, body):
        run = answered(post(client, "k"), 201)["id"]
        response = post(client, "k", body, path.format(run=run))
        assert "new key" in answered(response, 422)["detail"]
        assert ids(client) == [run]

    @pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é", "\x7f"])
    def test_a_key_of_another_shape_is_refused(self, client, key):
        assert "Idempotency-Key" in answered(post(client, key), 422)["detail"]
        assert ids(client) == []

    @pytest.mark.parametrize("key", ["x" * 255, '"quoted"', "a b", "~"])
    def test_every_printable_key_is_taken(self, client, key):
        first, again = post(client, key), post(client, key)
        assert parts(first) == parts(again)

    def test_a_key_for_a_new_token_is_refused_because_secrets_are_not_stored(self, client, store):
        response = post(client, "k", {"name": "ci", "scopes": ["read"]}, "/api/tokens")
        assert "secret" in answered(response, 422)["detail"]
        assert kept(store) == 0

    def test_a_failed_request_can_be_repeated_with_its_key(self, client, store):
        missing = {"definitionName": "smoke"}
        answered(post(client, "k", missing), 422)
        assert kept(store) == 0
        define(client)
        answered(post(client, "k", missing), 201)

    def test_a_response_with_an_error_status_is_not_kept(self, client, store, monkeypatch):
        run = answered(post(client, "k"), 201)["id"]
        path = f"{RUNS}/{run}/rerun"

        def fail(*args):
            raise UnavailableError("later")

        with monkeypatch.context() as patched:
            patched.setattr("sparktest.api.new_runs.rerun", fail)
            answered(post(client, "r", {}, path), 503)
        answered(post(client, "r", {}, path), 201)


class TestKeys:
    def test_a_key_can_be_used_again_after_a_day(self, client, clock):
        first = answered(post(client, "k"), 201)["id"]
        clock.now += timedelta(hours=24) - timedelta(seconds=1)
        assert answered(post(client, "k"), 201)["id"] == first
        clock.advance(1)
        other = answered(post(client, "k", adhoc(name="other")), 201)
        assert other["id"] != first
        assert answered(post(client, "k", adhoc(name="other")), 201) == other

    def test_keys_of_two_tokens_are_independent(self, client, monkeypatch):
        first = answered(post(client, "k"), 201)
        monkeypatch.setattr(auth, "token_id", lambda: "other")
        assert answered(post(client, "k"), 201)["id"] != first["id"]

    def test_of_two_requests_at_once_one_is_executed(self, app):
        calls = [partial(post, app.test_client(), "k") for _ in range(8)]
        responses = concurrently(calls)
        assert len({response.data for response in responses}) == 1
        replayed = [response.headers.get("Idempotent-Replayed") for response in responses]
        assert sorted(map(str, replayed)) == ["None"] + ["true"] * 7
        assert len(ids(app.test_client())) == 1

    def test_of_two_processes_at_once_one_executes_the_request(self, app, ctx, clock):
        url = ctx.store.engine.url.render_as_string(hide_password=False)
        other = create_app(Settings(database_url=url, namespace="tests"), clock=clock)
        try:
            for number in range(10):
                calls = [partial(post, each.test_client(), f"k{number}") for each in (app, other)]
                first, second = concurrently(calls * 2)[:2]
                assert answered(first, 201) == answered(second, 201)
            assert len(ids(app.test_client())) == 10
        finally:
            other.extensions["sparktest"].store.close()


def test_a_request_whose_response_was_cut_is_sent_again_and_creates_one_run(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    body = json.dumps(adhoc()).encode()
    head = (
        "POST /api/test-runs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with ThreadPoolExecutor(1) as executor:
        executor.submit(server.serve_forever, 0.01)
        try:
            with socket.create_connection(("127.0.0.1", server.server_port)) as client:
                client.sendall(head.encode() + body)
            end = time.monotonic() + 10
            while not ids(app.test_client()):
                assert time.monotonic() < end
            url = f"http://localhost:{server.server_port}{RUNS}"
            headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
            again = requests.post(url, data=body, headers=headers, timeout=60)
        finally:
            server.shutdown()
            server.server_close()
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert ids(app.test_client()) == [again.json()["id"]]
