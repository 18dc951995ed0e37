"""The feed of changes returns every change once, from memory or from the store."""

import json

import pytest

from sparktest.api import change_feed
from tests.api.requests import create, report
from tests.api.sse_reader import parse


@pytest.fixture
def feed(ctx):
    ctx.feed.restart()
    return ctx.feed


def read(feed, position) -> list[tuple[str, str, str | None]]:
    """Return (kind, run, status) of all events after the position."""
    found = []
    while True:
        page, after = feed.after(position)
        for event in page:
            ((kind, data, _),) = parse(event.frame)
            document = json.loads(data)
            found.append((kind, document["id"], document.get("status")))
        if after == position:
            return found
        position = after


@pytest.fixture(params=["memory", "store"])
def source(request, feed):
    """Call after the changes: they are read from memory, or from the store."""
    return (lambda: feed.refresh(True)) if request.param == "memory" else feed.restart


def test_several_changes_of_a_run_are_one_event_with_its_newest_state(client, feed, source):
    old = create(client)["id"]
    feed.restart()
    start = feed.newest()
    report(client, old, "running")
    new = create(client)["id"]
    report(client, old, "succeeded")
    report(client, new, "running")
    source()
    assert read(feed, start) == [("updated", old, "succeeded"), ("created", new, "running")]


def test_a_run_that_was_created_and_deleted_is_only_deleted(client, feed, source):
    create(client)
    feed.restart()
    start = feed.newest()
    run_id = create(client)["id"]
    report(client, run_id, "failed")
    client.delete(f"/api/test-runs/{run_id}")
    source()
    assert read(feed, start) == [("deleted", run_id, None)]


def test_pages_and_a_small_memory_lose_nothing(client, feed, monkeypatch):
    monkeypatch.setattr(change_feed, "MAX_EVENTS", 3)
    monkeypatch.setattr(change_feed, "PAGE_SIZE", 4)
    start = feed.newest()
    wanted = [create(client)["id"] for _ in range(20)]
    feed.refresh(True)
    assert [run for _, run, _ in read(feed, start)] == wanted


def test_memory_is_bounded_by_bytes(client, feed, monkeypatch):
    monkeypatch.setattr(change_feed, "MAX_BYTES", 1)
    start = feed.newest()
    wanted = [create(client)["id"] for _ in range(3)]
    feed.refresh(True)
    assert feed._bytes == 0
    assert [run for _, run, _ in read(feed, start)] == wanted


def test_a_run_deleted_between_two_pages_is_reported_by_its_deletion_only(
    client, feed, monkeypatch
):
    monkeypatch.setattr(change_feed, "PAGE_SIZE", 1)
    start = feed.newest()
    run_id = create(client)["id"]
    report(client, run_id, "failed")
    client.delete(f"/api/test-runs/{run_id}")
    feed.refresh(True)
    assert read(feed, start) == [("deleted", run_id, None)]


def test_changes_without_a_stream_are_reported_but_not_kept(client, feed):
    start = feed.newest()
    run_id = create(client)["id"]
    assert feed.refresh(False)[0] == [run_id]
    assert feed._events == type(feed._events)()
    assert [run for _, run, _ in read(feed, start)] == [run_id]


def test_a_reader_that_begins_beyond_the_memory_gets_only_what_follows(client, feed):
    create(client)
    ahead = feed.newest()
    feed.refresh(True)
    second = create(client)["id"]
    feed.refresh(True)
    assert [run for _, run, _ in read(feed, ahead)] == [second]
