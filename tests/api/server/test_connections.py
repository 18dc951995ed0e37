"""Clients that only end their side, pipeline, or send what no server expects."""

import socket

import pytest

from sparktest.api import auth
from sparktest.api.server import responder
from sparktest.api.server.connection import Connection
from tests.api.server.event_loops import problem, received, response, running_loop, wait_until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PARTS = GET.replace(b"/ ", b"/parts ")


@pytest.fixture
def loop(monkeypatch):
    monkeypatch.setattr(auth, "check_request", lambda: None)
    with running_loop() as running:
        yield running


def post(body: bytes) -> bytes:
    return b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(
    "head",
    [
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    ],
)
def test_a_head_that_the_standard_library_rejects_leaves_the_server_alive(loop, head):
    with loop.connect() as client:
        client.sendall(head)
        assert problem(received(client)) == 400
    with loop.connect() as client:
        client.sendall(GET)
        assert response(client) == (200, b"hello")


def test_an_error_in_the_loop_closes_only_its_connection(loop, monkeypatch):
    with loop.connect() as other:
        other.sendall(GET)
        assert response(other) == (200, b"hello")

        def fail(connection, data):
            monkeypatch.undo()
            raise RuntimeError

        monkeypatch.setattr(Connection, "feed", fail)
        with loop.connect() as client:
            client.sendall(GET)
            assert received(client) == b""
        other.sendall(GET)
        assert response(other) == (200, b"hello")


@pytest.mark.parametrize("size", [10, 20_000, 150_000, 1_000_000])
def test_a_client_that_ends_its_side_after_a_body_gets_its_response(loop, size):
    body = b"x" * size
    with loop.connect() as client:
        client.sendall(post(body))
        client.shutdown(socket.SHUT_WR)
        assert response(client) == (200, body)
        assert received(client) == b""


def test_a_client_that_ends_its_side_gets_all_responses_to_pipelined_requests(loop):
    with loop.connect() as client:
        client.sendall((GET + post(b"one") + GET.replace(b"/ ", b"/none ")) * 17)
        client.shutdown(socket.SHUT_WR)
        data = received(client)
    assert data.count(b"HTTP/1.1 200 OK") == 34
    assert data.count(b"HTTP/1.1 404 NOT FOUND") == 17
    wait_until(lambda: len(loop.loop) == 0)


def test_a_client_that_ends_its_side_in_a_body_is_closed(loop):
    with loop.connect() as client:
        client.sendall(post(b"x" * 100_000)[:-1])
        client.shutdown(socket.SHUT_WR)
        assert received(client) == b""
    assert loop.bodies == []


def test_a_client_that_ends_its_side_gets_a_body_of_many_parts(loop):
    with loop.connect() as client:
        client.sendall(PARTS)
        client.shutdown(socket.SHUT_WR)
        # The server is waiting for the client, and has noticed the end.
        wait_until(lambda: loop.loop.responder.open_streams == 1)
        wait_until(lambda: all(each.disconnected for each in [*loop.loop._connections.values()]))
        assert len(response(client)[1]) == 20_000_000


@pytest.mark.parametrize("reason", ["limit", "system"])
def test_without_a_thread_for_it_a_body_that_has_begun_is_cut(loop, monkeypatch, reason):
    with loop.connect() as client:
        if reason == "limit":
            monkeypatch.setattr(responder, "MAX_STREAM_THREADS", 0)
        else:
            monkeypatch.setattr(responder, "_start_thread", no_thread)
        client.sendall(PARTS)
        data = received(client)
    assert data.count(b"HTTP/1.1") == 1
    assert set(data.partition(b"\r\n\r\n")[2]) <= set(b"0123456789")
    assert loop.loop.responder.open_streams == 0


def test_without_a_thread_for_it_a_stream_is_refused(loop, monkeypatch):
    monkeypatch.setattr(responder, "_start_thread", no_thread)
    with loop.connect() as client:
        client.sendall(GET.replace(b"/ ", b"/stream "))
        assert problem(received(client)) == 503
    assert loop.loop.responder.open_streams == 0


def no_thread(target, name):
    raise RuntimeError("can't start new thread")


def test_a_response_survives_what_the_client_sends_behind_it(loop):
    """When the process ends, a client that pipelines must not lose the last response."""
    with loop.connect() as client:
        client.sendall(GET.replace(b"/ ", b"/wait "))
        assert loop.waiting.wait(60)
        loop.loop.responder.closing = True
        loop.gate.set()
        wait_until(lambda: any(each.lingering for each in [*loop.loop._connections.values()]))
        client.sendall(post(b"x" * 100_000))
        status, body = response(client)
        assert (status, body) == (200, b"waited")
    assert loop.bodies == []


def test_callbacks_of_a_stream_are_forgotten_after_it(loop):
    loop.gate.set()
    with loop.connect() as client:
        for _ in range(3):
            client.sendall(GET.replace(b"/ ", b"/stream "))
            data = b""
            while not data.endswith(b"0\r\n\r\n"):
                data += client.recv(1000)
        client.sendall(GET)
        assert response(client) == (200, b"hello")
        (found,) = loop.loop._connections.values()
        assert found._on_disconnect == []
    assert not loop.disconnected.is_set()


def test_two_hundred_pipelined_requests_are_all_answered(loop):
    with loop.connect() as client:
        client.sendall(GET * 200 + LAST)
        data = received(client)
    assert data.count(b"HTTP/1.1 200 OK") == 201
