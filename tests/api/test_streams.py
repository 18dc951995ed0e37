"""A stream waits for news, and ends when its client disconnects."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sparktest.api import streams
from sparktest.api.notifier import Waiter
from sparktest.api.store import runs
from tests.api.requests import create, report


def wait(client: streams.Client, waiter: Waiter | None = None, seconds: float = 0.01) -> bool:
    return client.wait(waiter or Waiter(), seconds)


def follow(ctx, run_id: str, other: streams.Client | None = None) -> Iterator[bytes]:
    with ctx.store.reading() as connection:
        run = runs.find(connection, run_id)
    assert run is not None
    return streams.follow(ctx, run, "test", 0, other or streams.Client({}))


def append(client, run_id: str, offset: int, data: bytes) -> None:
    path = f"/api/test-runs/{run_id}/logs/test?offset={offset}"
    response = client.put(path, data=data, content_type="application/octet-stream")
    assert response.status_code == 200


def test_the_server_ends_a_wait_when_the_client_disconnects():
    callbacks: list[Callable[[], None]] = []
    client = streams.Client({"sparktest.on_disconnect": callbacks.append})
    waiter = Waiter()
    client.wake_on_disconnect(waiter)
    threading.Thread(target=callbacks[0]).start()
    assert wait(client, waiter, 60) is True


def test_a_client_that_disconnected_before_the_wait_is_not_waited_for():
    client = streams.Client({"sparktest.on_disconnect": lambda callback: callback()})
    waiter = Waiter()
    client.wake_on_disconnect(waiter)
    waiter.clear()
    started = time.monotonic()
    assert wait(client, waiter, 60) is True
    assert time.monotonic() - started < 5


def test_without_a_server_the_client_never_disconnects():
    assert wait(streams.Client({})) is False


def test_a_followed_log_arrives_as_it_is_appended(client, ctx):
    run_id = create(client)["id"]
    pieces = follow(ctx, run_id)
    # The server sends the headers with the first piece, even an empty one.
    assert next(pieces) == b""
    append(client, run_id, 0, b"one\n")
    assert next(pieces) == b"one\n"
    timer = threading.Timer(0.05, append, (client, run_id, 4, b"two\n"))
    timer.start()
    assert next(pieces) == b"two\n"
    timer.join()
    report(client, run_id, "succeeded")
    assert list(pieces) == []


def test_a_follower_is_woken_by_the_end_of_the_run(client, ctx):
    run_id = create(client)["id"]
    pieces = follow(ctx, run_id)
    next(pieces)
    timer = threading.Timer(0.05, report, (client, run_id, "succeeded"))
    timer.start()
    assert list(pieces) == []
    timer.join()


def test_a_follower_is_woken_by_the_deletion_of_the_run(client, ctx, store):
    run_id = create(client)["id"]
    pieces = follow(ctx, run_id)
    next(pieces)
    row = {"id": run_id, "cluster": None, "k8s_ref_uid": None}
    timer = threading.Timer(0.05, store.write, [lambda c: runs.remove(c, row, ctx.clock())])
    timer.start()
    assert list(pieces) == []
    timer.join()


def test_a_followed_log_breaks_when_its_client_disconnects(client, ctx):
    run_id = create(client)["id"]
    callbacks: list[Callable[[], None]] = []
    other = streams.Client({"sparktest.on_disconnect": callbacks.append})
    pieces = follow(ctx, run_id, other)
    next(pieces)
    threading.Timer(0.05, lambda: callbacks[0]()).start()
    with pytest.raises(ConnectionResetError):
        next(pieces)


def test_a_followed_log_breaks_when_the_process_ends(client, ctx):
    run_id = create(client)["id"]
    pieces = follow(ctx, run_id)
    next(pieces)
    threading.Timer(0.05, ctx.closing.set).start()
    with pytest.raises(ConnectionResetError):
        next(pieces)


def test_an_append_wakes_only_the_followers_of_its_run(client, ctx):
    watched, other = create(client)["id"], create(client)["id"]
    with ctx.notifier.listening(watched) as mine, ctx.notifier.listening(other) as theirs:
        # The first look wakes everybody.
        assert mine.wait(60)
        assert theirs.wait(60)
        mine.clear()
        theirs.clear()
        append(client, watched, 0, b"line\n")
        assert mine.wait(60)
        assert not theirs.wait(0.02)
