"""The stream of events tells every change of a run once, also after a reconnection."""

from contextlib import contextmanager
from datetime import timedelta

import pytest

from sparktest.api import sse, streams
from sparktest.api.context import CONTROLLER_HEADER
from sparktest.api.store import changes, runs
from tests.api.requests import CLUSTER, create, register, report
from tests.api.sse_reader import Reader, parse

MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def listen(client, ctx):
    """Open a stream and return its Reader once it listens."""

    @contextmanager
    def opened(query="", last_id=None, **headers):
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        yield Reader(client.get(f"/api/test-runs/events?{query}", headers=headers, buffered=False))

    yield opened
    ctx.closing.set()


def test_creation_change_and_deletion_arrive_in_order(client, listen):
    with listen() as stream:
        run_id = create(client)["id"]
        kind, run = stream.next()
        assert (kind, run["id"], run["status"]) == ("created", run_id, "pending")
        report(client, run_id, "running")
        kind, run = stream.next()
        assert (kind, run["id"], run["status"]) == ("updated", run_id, "running")
        report(client, run_id, "failed")
        assert stream.next()[1]["status"] == "failed"
        client.delete(f"/api/test-runs/{run_id}")
        assert stream.next() == ("deleted", {"id": run_id})


def test_the_event_has_the_same_document_as_the_run(client, listen):
    with listen() as stream:
        run_id = create(client, labels={"team": "web"}, env={"A": "1"})["id"]
        assert stream.next()[1] == client.get(f"/api/test-runs/{run_id}").get_json()


def test_a_stream_begins_with_the_next_change(client, listen):
    create(client)
    with listen() as stream:
        new = create(client)["id"]
        assert stream.next()[1]["id"] == new


def test_a_stream_continues_after_the_last_event_id(client, listen):
    first = create(client)["id"]
    with listen() as stream:
        second = create(client)["id"]
        assert stream.next()[1]["id"] == second
        last_id = stream.last_id
    third, fourth = create(client)["id"], create(client)["id"]
    with listen(last_id=last_id) as stream:
        assert [stream.next()[1]["id"] for _ in range(2)] == [third, fourth]
    with listen(query=f"lastEventId={last_id}") as stream:
        assert stream.next()[1]["id"] == third
    assert first not in (third, fourth)


def test_a_stream_without_an_event_can_be_continued_too(client, listen, store):
    create(client)
    beginning = next(iter(client.get("/api/test-runs/events", buffered=False).response))
    new = create(client)["id"]
    last_id = beginning.split(b"id: ")[1].strip().decode()
    with listen(last_id=last_id) as stream:
        assert stream.next()[1]["id"] == new


def test_an_id_that_is_not_kept_is_answered_with_resync(client, listen, ctx, store, clock):
    create(client)
    with listen() as stream:
        create(client)
        stream.next()
        last_id = stream.last_id
    clock.advance(60)
    create(client)
    with store.writing() as connection:
        assert changes.prune(connection, clock() - timedelta(seconds=30), 100) > 0
    with listen(last_id=last_id) as stream:
        assert stream.next() == ("resync", {})
        new = create(client)["id"]
        assert stream.next()[1]["id"] == new


@pytest.mark.parametrize("bad", ["x", "-1", "9" * 18, "9" * 5000, "²", "1.0", "1-1"])
def test_an_id_that_never_was_is_answered_with_resync(client, listen, bad):
    create(client)
    with listen(query=f"lastEventId={bad}") as stream:
        assert stream.next() == ("resync", {})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("origin=api", ["api"]),
        ("origin=crd", ["crd"]),
        ("origin=crd&origin=api", ["api", "crd"]),
        ("namespace=shop", ["crd"]),
        (f"cluster={CLUSTER}", ["crd"]),
        (f"definitionId={MISSING}", []),
        (f"suiteRunId={MISSING}", []),
        (f"scheduleId={MISSING}", []),
    ],
)
def test_filters_hide_other_runs_but_no_deletion(client, listen, query, expected):
    with listen(query) as stream:
        create(client)
        register(client)
        gone = create(client, name="gone")["id"]
        report(client, gone, "failed")
        client.delete(f"/api/test-runs/{gone}")
        origins = []
        while (event := stream.next()) != ("deleted", {"id": gone}):
            if event[1]["name"] != "gone":
                origins.append(event[1]["origin"])
        assert origins == expected


@pytest.mark.parametrize("query", ["status=failed", "origin=ui", "definitionId=x", "q=a"])
def test_other_filters_are_refused(client, query):
    assert client.get(f"/api/test-runs/events?{query}").status_code == 422


def test_blocked_runs_are_hidden_from_controllers_only(client, listen, store, clock):
    with listen() as everybody, listen(**{CONTROLLER_HEADER: CLUSTER}) as controller:
        blocked = create(client)["id"]
        everybody.next()
        controller.next()

        def block(value: bool) -> None:
            def change(connection):
                run = runs.find(connection, blocked, for_update=True)
                assert run is not None
                runs.change(connection, run, {"blocked": value}, clock())

            store.write(change)

        block(True)
        assert everybody.next()[1]["id"] == blocked
        block(False)
        assert everybody.next()[1]["id"] == blocked
        assert controller.next()[1]["id"] == blocked


def test_a_silent_stream_sends_its_beginning_at_once_and_then_heartbeats(client, monkeypatch):
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.01)
    response = client.get("/api/test-runs/events", buffered=False)
    assert response.content_type == "text/event-stream; charset=utf-8"
    chunks = iter(response.response)
    assert next(chunks).startswith(b": SparkTest\nretry: ")
    assert next(chunks).startswith(b": heartbeat\n")
    response.close()


def test_a_stream_ends_when_the_process_does(client, listen, ctx):
    with listen() as stream:
        create(client)
        stream.next()
        ctx.closing.set()
        assert stream.is_ended()


def test_a_stream_ends_after_some_minutes_so_that_its_token_is_checked_again(
    client, listen, monkeypatch
):
    monkeypatch.setattr(streams, "MAX_EVENTS_SECONDS", 0.0)
    with listen() as stream:
        assert stream.is_ended()


def test_no_more_streams_than_allowed_are_open(client, ctx):
    while ctx.streams.acquire(blocking=False):
        pass
    refused = client.get("/api/test-runs/events")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"


def test_a_stream_that_was_closed_makes_room(client, ctx):
    before = ctx.streams._value
    response = client.get("/api/test-runs/events", buffered=False)
    assert ctx.streams._value == before - 1
    response.close()
    assert ctx.streams._value == before


def test_the_events_of_a_burst_are_complete(client, listen):
    with listen() as stream:
        wanted = [create(client, name=f"run {n}")["id"] for n in range(60)]
        assert [stream.next()[1]["id"] for _ in wanted] == wanted


def test_the_earlier_path_works_too(client):
    response = client.get("/api/runs/events", buffered=False)
    assert parse(next(iter(response.response))) == []
    response.close()
