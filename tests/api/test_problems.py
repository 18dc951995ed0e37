"""Every error is answered as a problem."""

import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparktest.api.store import run_pages
from sparktest.errors import UnavailableError
from tests.api.requests import adhoc, answered, create, pointers

JSON = {"content_type": "application/json"}


def problem(response, status: int):
    assert response.status_code == status, response.data
    assert response.mimetype == "application/problem+json"
    document = json.loads(response.data)
    assert document["status"] == status
    assert document["type"].startswith("urn:sparktest:problem:")
    assert document["title"]
    assert document["detail"]
    return document


class TestShape:
    def test_an_unknown_path_is_answered_with_404(self, client):
        assert "/nowhere" in problem(client.get("/nowhere"), 404)["detail"]
        problem(client.get("/api/test-runs/"), 404)
        problem(client.get("/api//test-runs"), 404)

    def test_a_method_that_is_not_allowed_lists_the_allowed_ones(self, client):
        response = client.put("/api/test-runs", json={})
        problem(response, 405)
        assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))

    @pytest.mark.usefixtures("garbage_collection_paused")
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"nope",
            b"\xff",
            b'{"name": NaN}',
            b'{"a": 1e999}',
            b'"\\ud800"',
            b"[" * 100_000,
            b'{"a":' * 100 + b"1" + b"}" * 100,
            b'{"name": "\xed\xa0\x80"}',
        ],
    )
    def test_invalid_json_is_answered_with_400(self, client, body):
        problem(client.post("/api/test-runs", data=body, **JSON), 400)

    @pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"x"'])
    def test_json_that_is_not_an_object_is_answered_with_422(self, client, body):
        problem(client.post("/api/test-runs", data=body, **JSON), 422)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_the_content_type_is_checked_before_the_body(self, client, kind):
        problem(client.post("/api/test-runs", data=b"{", content_type=kind), 415)

    def test_a_body_over_the_limit_is_answered_with_413(self, client):
        body = json.dumps(adhoc(env={"A": "x" * 4 * 1024 * 1024}))
        problem(client.post("/api/test-runs", data=body, **JSON), 413)

    def test_a_nul_character_is_refused_with_the_field(self, client):
        response = client.post("/api/test-runs", json=adhoc(env={"A": "x\0"}))
        assert pointers(response) == {"/env/A"}
        response = client.post("/api/test-runs", json=adhoc(labels={"x\0": "x"}))
        assert pointers(response) == {"/labels"}

    def test_an_invalid_host_is_refused(self, client):
        problem(client.get("/livez", headers={"Host": "local host"}), 403)


class TestFailures:
    def test_an_unavailable_database_is_answered_with_retry_after(self, client, ctx, monkeypatch):
        def unavailable():
            raise UnavailableError("unavailable", retry_after=2)

        monkeypatch.setattr(ctx.store, "reading", unavailable)
        monkeypatch.setattr(ctx.store, "write", lambda work: unavailable())
        for response in (
            client.get("/api/test-runs"),
            client.post("/api/test-runs", json=adhoc()),
            client.get("/api/health"),
            client.get("/readyz"),
        ):
            problem(response, 503)
            assert response.headers["Retry-After"] == "2"
        assert client.get("/livez").status_code == 200

    def test_an_unexpected_error_is_logged_and_not_shown_to_the_client(
        self, client, monkeypatch, caplog
    ):
        def broken(*args):
            raise RuntimeError("canary")

        monkeypatch.setattr(run_pages, "page", broken)
        with caplog.at_level(logging.ERROR):
            document = problem(client.get("/api/test-runs"), 500)
        assert "canary" not in str(document)
        assert "canary" in caplog.text

    def test_values_are_never_in_the_log(self, client, store, caplog):
        def rename(old, new):
            with store.writing() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

        rename("test_run_words", "gone")
        try:
            with caplog.at_level(logging.DEBUG):
                body = adhoc(name="x y", env={"A": "canary-value"})
                response = client.post("/api/test-runs", json=body)
        finally:
            rename("gone", "test_run_words")
        assert response.status_code >= 500
        assert "test_run_words" in caplog.text
        assert "canary-value" not in caplog.text + str(response.data)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = (
    "name",
    "image",
    "commands",
    "command",
    "args",
    "env",
    "envFrom",
    "resources",
    "labels",
    "serviceAccountName",
    "imagePullSecrets",
    "timeoutSeconds",
    "ttlSecondsAfterFinished",
    "origin",
    "k8sRef",
    "cluster",
    "definitionId",
    "definitionName",
    "executorId",
    "description",
    "status",
    "jobUid",
    "startedAt",
    "finishedAt",
    "failure",
    "log",
    "statusReason",
)
QUERIES = (
    "status",
    "origin",
    "namespace",
    "cluster",
    "definitionId",
    "label",
    "q",
    "since",
    "updatedSince",
    "limit",
    "cursor",
    "container",
    "follow",
    "tail",
    "offset",
)
ROUTES = (
    ("GET", "/api/test-runs"),
    ("POST", "/api/test-runs"),
    ("GET", "/api/test-runs/{run}"),
    ("GET", "/api/test-runs/{run}/logs"),
    ("PUT", "/api/test-runs/{run}/report"),
    ("PUT", "/api/test-runs/{run}/claim"),
    ("PUT", "/api/test-runs/{run}/logs/{text}"),
    ("POST", "/api/test-runs/{run}/cancel"),
    ("POST", "/api/test-runs/{run}/rerun"),
    ("GET", "/api/test-definitions"),
    ("POST", "/api/test-definitions"),
    ("PATCH", "/api/test-definitions/{definition}"),
    ("PUT", "/api/test-definitions/{definition}"),
    ("POST", "/api/test-definitions/{definition}/run"),
    ("DELETE", "/api/k8s/jobs/{text}"),
    ("GET", "/api/test-runs/{text}"),
    ("DELETE", "/api/test-runs/{text}"),
)
fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
text = st.text(max_size=20)


def sane(body) -> bool:
    try:
        json.dumps(body, allow_nan=False).encode()
    except ValueError:
        return False
    return True


class TestFuzz:
    """No request is answered with 500 or with HTML."""

    @pytest.fixture
    def paths(self, client):
        body = {"name": "d", "image": "i"}
        definition = answered(client.post("/api/test-definitions", json=body), 201)["id"]
        return {"run": create(client)["id"], "definition": definition}

    def check(self, response):
        assert response.status_code < 500, response.data
        if response.status_code >= 400:
            problem(response, response.status_code)

    @fuzz
    @given(
        route=st.sampled_from(ROUTES),
        body=st.dictionaries(st.sampled_from(FIELDS) | text, anything, max_size=5) | anything,
        segment=text.filter(sane),
        query=st.lists(st.tuples(st.sampled_from(QUERIES), text), max_size=3),
    )
    def test_json_of_any_shape(self, client, paths, route, body, segment, query):
        method, path = route
        if any(name == "follow" for name, _ in query) and path.endswith("/logs"):
            return
        self.check(
            client.open(
                path.format(text=quote(segment), **paths),
                method=method,
                query_string=query,
                data=json.dumps(body, allow_nan=False, default=str) if sane(body) else b"NaN",
                content_type="application/json",
            )
        )

    @fuzz
    @given(
        route=st.sampled_from(ROUTES),
        data=st.binary(max_size=40),
        kind=st.sampled_from(["application/json", "application/octet-stream", "text/html"]),
        query=st.text(alphabet=st.characters(max_codepoint=255), max_size=30),
    )
    def test_bytes_of_any_kind(self, client, paths, route, data, kind, query):
        method, path = route
        url = f"{path.format(text='x', **paths)}?{query.replace('follow', '').replace('#', '')}"
        self.check(client.open(url, method=method, data=data, content_type=kind))
