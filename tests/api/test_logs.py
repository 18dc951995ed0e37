"""Logs: append, read, tail, follow."""

import io
import json
import threading
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sparktest.api import sse
from sparktest.api.store import log_chunks
from sparktest.api.store import logs as store_logs
from sparktest.errors import UnavailableError
from tests.api.requests import answered, create, get, register, report
from tests.api.sse_reader import parse
from tests.api.store.batches import wait_until

BYTES = {"content_type": "application/octet-stream"}
TEMPLATE = {
    "spec": {
        "initContainers": [{"name": "fixtures"}],
        "containers": [{"name": "sidecar"}, {"name": "tests"}],
    },
    "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "tests"}},
}


@pytest.fixture
def run(client):
    return create(client)["id"]


def put(client, run, data: bytes, offset: int, container: str = "test"):
    url = f"/api/test-runs/{run}/logs/{container}?offset={offset}"
    return client.put(url, data=data, **BYTES)


def read(client, run, query: str = "") -> bytes:
    response = client.get(f"/api/test-runs/{run}/logs?{query}")
    assert response.status_code == 200, response.data
    assert response.mimetype == "text/plain"
    return bytes(response.data)


class TestAppend:
    def test_bytes_at_the_end_are_appended(self, client, run):
        assert answered(put(client, run, b"one\n", 0), 200) == {"bytes": 4}
        assert answered(put(client, run, b"\xff\x00two", 4), 200) == {"bytes": 9}
        assert read(client, run) == b"one\n\xff\x00two"
        assert get(client, run)["log"] == {"state": "partial", "bytes": 9}

    def test_the_same_bytes_again_change_nothing(self, client, run):
        put(client, run, b"onetwo", 0)
        for data, offset in ((b"one", 0), (b"two", 3), (b"et", 2), (b"", 6), (b"", 2)):
            assert answered(put(client, run, data, offset), 200) == {"bytes": 6}
        assert read(client, run) == b"onetwo"

    @pytest.mark.parametrize(
        ("data", "offset"), [(b"x", 7), (b"", 7), (b"One", 0), (b"twothree", 3), (b"x", 2**62)]
    )
    def test_an_append_with_a_gap_or_other_bytes_gets_409_with_the_length(
        self, client, run, data, offset
    ):
        put(client, run, b"onetwo", 0)
        assert answered(put(client, run, data, offset), 409)["stored"] == 6
        assert read(client, run) == b"onetwo"

    def test_a_log_can_be_appended_after_the_end_of_the_run(self, client, run):
        report(client, run, "succeeded", log={"state": "complete"})
        assert answered(put(client, run, b"late", 0), 200) == {"bytes": 4}
        assert get(client, run)["log"] == {"state": "complete", "bytes": 4}

    def test_appending_to_a_log_does_not_change_the_run(self, client, run):
        before = get(client, run)
        put(client, run, b"line\n", 0)
        after = get(client, run)
        assert (after["version"], after["updatedAt"]) == (before["version"], before["updatedAt"])

    @pytest.mark.parametrize("container", ["Test", "-", "a" * 64, "%00", "a%2Fb", "ü"])
    def test_an_invalid_container_name_is_refused(self, client, run, container):
        assert put(client, run, b"x", 0, container).status_code in (404, 422)

    def test_an_append_must_be_binary(self, client, run):
        url = f"/api/test-runs/{run}/logs/test?offset=0"
        assert client.put(url, data=b"{}", content_type="text/html").status_code == 415
        assert client.put(url, data=b"{}").status_code == 415

    @pytest.mark.parametrize("query", ["", "offset=-1", "offset=x", "offset=9" + "9" * 30])
    def test_an_append_needs_a_valid_offset(self, client, run, query):
        url = f"/api/test-runs/{run}/logs/test?{query}"
        assert client.put(url, data=b"x", **BYTES).status_code == 422

    def test_a_chunked_body_that_is_too_large_is_refused_and_not_truncated(self, client, run):
        size = 8 * 1024 * 1024 + 1
        response = client.put(
            f"/api/test-runs/{run}/logs/test?offset=0",
            input_stream=io.BytesIO(b"x" * size),
            environ_overrides={"wsgi.input_terminated": True},
            **BYTES,
        )
        assert answered(response, 413)["title"] == "Request too large"
        assert read(client, run) == b""

    def test_a_piece_that_is_too_large_is_refused(self, client, run):
        assert put(client, run, b"x" * (8 * 1024 * 1024 + 1), 0).status_code == 413
        assert answered(put(client, run, b"x" * (2 * 1024 * 1024), 0), 200)

    @settings(
        max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, 60)), seed=st.randoms())
    def test_any_split_and_any_repetition_stores_the_same_bytes(
        self, client, monkeypatch, data, cuts, seed
    ):
        monkeypatch.setattr(log_chunks, "MAX_CHUNK_BYTES", 7)
        run = create(client)["id"]
        stored = 0
        for cut in sorted({cut for cut in cuts if cut < len(data)} | {len(data)}):
            # A lost answer makes the sender repeat anything that it sent before.
            second = seed.randint(0, stored)
            answered(put(client, run, data[second:stored], second), 200)
            stored = answered(put(client, run, data[stored:cut], stored), 200)["bytes"]
        assert read(client, run) == data
        assert get(client, run)["log"]["bytes"] == len(data)


class TestRead:
    def test_a_run_without_output_has_an_empty_log(self, client, run):
        assert read(client, run) == b""

    def test_each_container_has_its_own_log(self, client):
        run = register(client, template=TEMPLATE)["id"]
        put(client, run, b"main", 0, "tests")
        put(client, run, b"side", 0, "sidecar")
        assert read(client, run) == b"main"
        assert read(client, run, "container=sidecar") == b"side"
        assert read(client, run, "container=fixtures") == b""
        assert get(client, run)["log"]["bytes"] == 8

    def test_the_container_that_clones_a_repository_has_a_log_too(self, client):
        git = {"url": "https://git.example/shop.git"}
        run = register(client, git=git, template=TEMPLATE)["id"]
        expected = ["tests", "sparktest-git", "fixtures", "sidecar"]
        assert get(client, run)["containers"] == expected
        put(client, run, b"cloned", 0, "sparktest-git")
        assert read(client, run, "container=sparktest-git") == b"cloned"

    @pytest.mark.parametrize("follow", ["", "&follow=true"])
    def test_a_container_that_the_run_does_not_have_is_not_found(self, client, follow):
        run = register(client, template=TEMPLATE)["id"]
        put(client, run, b"mesh", 0, "other")
        assert read(client, run, "container=other") == b"mesh"
        response = client.get(f"/api/test-runs/{run}/logs?container=no{follow}")
        assert "tests, fixtures, sidecar, other" in answered(response, 404)["detail"]

    def test_a_log_can_be_read_from_an_offset(self, client, run):
        put(client, run, b"0123456789", 0)
        assert read(client, run, "offset=4") == b"456789"
        assert read(client, run, "offset=10") == read(client, run, "offset=99") == b""

    @pytest.mark.parametrize("query", ["tail=-1", "tail=x", "tail=1&offset=2", "follow=maybe"])
    def test_an_invalid_range_of_a_log_is_refused(self, client, run, query):
        answered(client.get(f"/api/test-runs/{run}/logs?{query}"), 422)

    def test_a_browser_does_not_render_a_log_as_html(self, client, run):
        put(client, run, b"<script>", 0)
        response = client.get(f"/api/test-runs/{run}/logs")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Length"] == "8"

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(text=st.text(alphabet="ab\n", max_size=40), lines=st.integers(0, 12))
    @example(text="a\n\nb\n", lines=2)
    def test_a_tail_is_the_last_lines(self, client, monkeypatch, text, lines):
        monkeypatch.setattr(log_chunks, "MAX_CHUNK_BYTES", 3)
        monkeypatch.setattr(store_logs, "READ_BYTES", 8)
        monkeypatch.setattr(store_logs, "MAX_CHUNKS", 2)
        run = create(client)["id"]
        put(client, run, text.encode(), 0)
        kept = text.splitlines(keepends=True)[-lines:] if lines else []
        assert read(client, run, f"tail={lines}").decode() == "".join(kept)

    def test_a_log_of_thirty_megabytes_needs_little_memory(self, client, run):
        chunk = bytes(range(256)) * 16 * 1024
        for n in range(8):
            assert put(client, run, chunk, n * len(chunk)).status_code == 200
        tracemalloc.start()
        response = client.get(f"/api/test-runs/{run}/logs", buffered=False)
        size = sum(len(part) for part in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size == 8 * len(chunk) > 30_000_000
        assert peak < 8_000_000

    def test_a_log_that_cannot_be_read_to_its_end_breaks_the_connection(
        self, client, ctx, run, monkeypatch
    ):
        monkeypatch.setattr(log_chunks, "MAX_CHUNK_BYTES", 40)
        monkeypatch.setattr(store_logs, "READ_BYTES", 40)
        put(client, run, b"x" * 100, 0)
        response = client.get(f"/api/test-runs/{run}/logs", buffered=False)
        monkeypatch.setattr(ctx.store, "reading", unavailable)
        with pytest.raises(ConnectionResetError):
            list(response.iter_encoded())


class TestFollow:
    def follow(self, client, run, query: str = ""):
        """Yield the parts of the open response, without the empty ones that carry nothing."""
        url = f"/api/test-runs/{run}/logs?follow=true{query}"
        response = client.get(url, buffered=False)
        assert response.status_code == 200
        return filter(None, response.iter_encoded())

    def test_new_bytes_are_streamed_until_the_run_has_ended(self, client, run):
        put(client, run, b"one", 0)
        parts = self.follow(client, run)
        assert next(parts) == b"one"
        put(client, run, b"two", 3)
        assert next(parts) == b"two"
        put(client, run, b"end", 6)
        report(client, run, "failed")
        assert list(parts) == [b"end"]

    def test_a_follower_that_accepts_events_gets_them_with_heartbeats(
        self, client, run, monkeypatch
    ):
        monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.01)
        put(client, run, "grün".encode(), 0)
        response = client.get(
            f"/api/test-runs/{run}/logs?follow=true",
            headers={"Accept": "text/event-stream"},
            buffered=False,
        )
        assert response.mimetype == "text/event-stream"
        parts = response.iter_encoded()
        assert next(parts).startswith(b": SparkTest")
        while b"heartbeat" not in next(parts):
            pass
        report(client, run, "failed")
        put(client, run, b"\xff", 5)
        events = [(kind, event_id) for kind, _, event_id in parse(b"".join(parts))]
        assert events[-2:] == [("log", "6"), ("end", "6")]

    @pytest.mark.parametrize(("header", "text"), [("3", "two"), ("x", "onetwo"), ("", "onetwo")])
    def test_a_follower_of_events_continues_after_its_last_event(self, client, run, header, text):
        put(client, run, b"onetwo", 0)
        report(client, run, "succeeded")
        headers = {"Accept": "text/event-stream", "Last-Event-ID": header}
        response = client.get(f"/api/test-runs/{run}/logs?follow=true", headers=headers)
        (kind, data, _), end = parse(response.data)
        assert (kind, json.loads(data), end[0]) == ("log", {"text": text}, "end")

    def test_a_follower_can_continue_at_an_offset(self, client, run):
        put(client, run, b"onetwo", 0)
        report(client, run, "succeeded")
        assert b"".join(self.follow(client, run, "&offset=3")) == b"two"

    def test_following_an_ended_run_gives_its_log(self, client, run):
        put(client, run, b"one", 0)
        report(client, run, "succeeded")
        assert list(self.follow(client, run, "&tail=1")) == [b"one"]

    def test_a_log_stream_ends_when_the_run_is_deleted(self, client, run):
        put(client, run, b"one", 0)
        parts = self.follow(client, run)
        assert next(parts) == b"one"
        report(client, run, "succeeded")
        assert client.delete(f"/api/test-runs/{run}").status_code == 204
        assert list(parts) == []

    def test_a_waiting_follower_holds_no_connection(self, client, store, run):
        put(client, run, b"one", 0)
        parts = self.follow(client, run)
        assert next(parts) == b"one"
        wait_until(lambda: store.engine.pool.checkedout() == 0)

    def test_a_follower_survives_a_short_outage_of_the_database(
        self, client, ctx, run, monkeypatch
    ):
        put(client, run, b"one", 0)
        parts = self.follow(client, run)
        assert next(parts) == b"one"
        put(client, run, b"two", 3)
        with monkeypatch.context() as patched:
            patched.setattr(ctx.store, "reading", unavailable)
            threading.Timer(0.1, patched.undo).start()
            assert next(parts) == b"two"

    def test_a_stopping_server_interrupts_its_log_streams(self, client, ctx, run):
        put(client, run, b"one", 0)
        parts = self.follow(client, run)
        assert next(parts) == b"one"
        ctx.closing.set()
        with pytest.raises(ConnectionResetError):
            next(parts)

    def test_too_many_followers_get_503_with_retry_after(self, client, ctx, run):
        while ctx.streams.acquire(blocking=False):
            pass
        response = client.get(f"/api/test-runs/{run}/logs?follow=true")
        assert answered(response, 503)["detail"].startswith("512 streams")
        assert response.headers["Retry-After"] == "5"

    def test_closing_a_log_stream_releases_its_slot(self, client, ctx, run):
        put(client, run, b"one", 0)
        before = ctx.streams._value
        response = client.get(f"/api/test-runs/{run}/logs?follow=true", buffered=False)
        assert ctx.streams._value == before - 1
        response.close()
        assert ctx.streams._value == before


def unavailable():
    raise UnavailableError("unavailable")
