"""The event loop and its connections, on the wire."""

import socket
import struct
import time
from contextlib import suppress

import pytest
from flask import request

from sparktest.api import auth
from sparktest.api.server import connection, event_loop
from sparktest.errors import UnauthorizedError
from tests.api.server.event_loops import problem, received, response, running_loop, wait_until

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_SENT = [
    b"",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
]


@pytest.fixture
def loop():
    with running_loop() as running:
        yield running


@pytest.fixture
def no_token(monkeypatch):
    """No request has a valid token."""

    def refuse() -> None:
        raise UnauthorizedError("a token is needed")

    monkeypatch.setattr(auth, "check_request", refuse)


@pytest.fixture
def any_token(monkeypatch):
    monkeypatch.setattr(auth, "check_request", lambda: None)


def post(body: bytes, extra: bytes = b"") -> bytes:
    return b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n%b" % (
        len(body),
        extra,
        body,
    )


def test_a_connection_serves_one_request_after_the_other(loop):
    with loop.connect() as client:
        for _ in range(3):
            client.sendall(GET)
            assert response(client) == (200, b"hello")
        client.sendall(post(b"body"))
        assert response(client) == (200, b"body")


def test_pipelined_requests_are_answered_in_their_order(loop):
    with loop.connect() as client:
        client.sendall(
            post(b"one") + post(b"two") + GET.replace(b"x\r\n", b"x\r\nConnection: close\r\n")
        )
        data = received(client)
    assert data.count(b"HTTP/1.1 200 OK") == 3
    assert loop.bodies == [b"one", b"two"]
    assert data.endswith(b"hello")


def test_a_request_may_arrive_byte_by_byte(loop):
    with loop.connect() as client:
        for byte in post(b"slow"):
            client.sendall(bytes([byte]))
        assert response(client) == (200, b"slow")


def test_a_body_keeps_its_order_while_the_token_is_checked(loop, monkeypatch):
    parts = [bytes([number]) * 20_000 for number in range(3)]
    responder = loop.loop.responder
    wake = responder._wake

    def arrived():
        """Return how much of the body is parsed or pending."""
        (found,) = loop.loop._connections.values()
        return found.request.body_bytes_received + len(found.pending)

    def check():
        client.sendall(parts[1])
        wait_until(lambda: arrived() == 40_000)

    def wake_late(found):
        responder._wake = wake
        client.sendall(parts[2])
        wait_until(lambda: arrived() == 60_000)
        wake(found)

    monkeypatch.setattr(auth, "check_request", check)
    responder._wake = wake_late
    with loop.connect() as client:
        client.sendall(post(b"".join(parts))[:-40_000])
        assert response(client) == (200, b"".join(parts))


def test_only_the_check_of_a_token_before_the_body_is_marked(loop, monkeypatch):
    marks = []

    def check() -> None:
        marks.append(auth.BODY_FOLLOWS in request.environ)

    monkeypatch.setattr(auth, "check_request", check)
    with loop.connect() as client:
        for size in (1, 100_000):
            client.sendall(post(b"x" * size))
            assert response(client)[0] == 200
    assert marks == [True]


@pytest.mark.usefixtures("any_token")
def test_large_bodies_arrive_as_they_were_sent(loop):
    body = bytes(range(256)) * 4096
    with loop.connect() as client:
        for _ in range(20):
            client.sendall(post(body))
            assert response(client) == (200, body)


def test_a_malformed_request_is_answered_and_the_connection_closed(loop):
    with loop.connect() as client:
        client.sendall(b"NONSENSE\r\n\r\n" + GET)
        assert problem(received(client)) == 400


@pytest.mark.parametrize("data", HALF_SENT)
def test_a_half_sent_request_is_cut_and_holds_no_thread(loop, monkeypatch, data):
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.5)
    clients = [loop.connect() for _ in range(40)]
    for client in clients:
        client.sendall(data)
    with loop.connect() as other:
        other.sendall(GET)
        assert response(other) == (200, b"hello")
    for client in clients:
        answer = received(client)
        assert problem(answer) == 408 if data else answer == b""
        client.close()
    wait_until(lambda: len(loop.loop) == 0)


def test_a_client_that_sends_a_byte_now_and_then_is_cut_too(loop, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.5)
    with loop.connect() as client:
        client.settimeout(0.05)
        answer, deadline = b"", time.monotonic() + 5
        while not answer and time.monotonic() < deadline:
            client.sendall(b"x")
            with suppress(TimeoutError):
                answer = client.recv(1000)
    assert b" 408 " in answer


def test_a_large_body_gets_as_long_as_its_size_needs(loop, monkeypatch, any_token):
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(connection, "BODY_BYTES_PER_SECOND", 100_000)
    body = b"x" * 100_000
    with loop.connect() as client:
        request = post(body)
        for start in range(0, len(request), 10_000):
            client.sendall(request[start : start + 10_000])
            time.sleep(0.06)
        assert response(client) == (200, body)


def test_a_large_body_is_not_read_without_a_valid_token(loop, no_token):
    with loop.connect() as client:
        client.sendall(post(b"")[:-2].replace(b": 0", b": 8000000") + b"\r\n" + b"x" * 100)
        assert problem(received(client)) == 401
    with loop.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        assert problem(received(client)) == 401
    assert loop.bodies == []


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_the_body_is_asked_for_once_the_token_is_checked(loop, any_token, size):
    request = post(b"x" * size, b"Expect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    with loop.connect() as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert response(client) == (200, body)


def test_a_body_over_the_limit_is_refused_while_the_client_still_sends(loop, any_token):
    with loop.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(12):
            client.sendall(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
        assert problem(received(client)) == 413


def test_a_large_response_waits_for_a_slow_client_without_a_thread(loop):
    clients = [loop.connect() for _ in range(20)]
    for client in clients:
        client.sendall(GET.replace(b"/ ", b"/large "))
    with loop.connect() as other:
        other.sendall(GET)
        assert response(other) == (200, b"hello")
    for client in clients:
        status, body = response(client)
        assert (status, len(body)) == (200, 20_000_000)
        client.close()


def test_a_client_that_reads_nothing_is_cut(loop, monkeypatch):
    monkeypatch.setattr(event_loop, "SEND_SECONDS", 0.3)
    with loop.connect() as client:
        client.sendall(GET.replace(b"/ ", b"/large "))
        wait_until(lambda: len(loop.loop) == 1)
        wait_until(lambda: len(loop.loop) == 0)


def test_a_stream_sends_its_parts_at_once_and_leaves_the_threads_free(loop):
    clients = [loop.connect() for _ in range(40)]
    for client in clients:
        client.sendall(GET.replace(b"/ ", b"/stream "))
    for client in clients:
        data = b""
        while b"first" not in data:
            data += client.recv(1000)
    with loop.connect() as other:
        other.sendall(GET)
        assert response(other) == (200, b"hello")
    loop.gate.set()
    for client in clients:
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += client.recv(1000)
        assert b"last" in data
        # The connection is kept.
        client.sendall(GET)
        assert response(client) == (200, b"hello")
        client.close()


def test_a_broken_stream_has_no_end(loop):
    with loop.connect() as client:
        client.sendall(GET.replace(b"/ ", b"/broken "))
        data = received(client)
    assert b"first" in data
    assert not data.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("reset", [False, True])
def test_the_application_hears_when_the_client_of_a_stream_disconnects(loop, reset):
    client = loop.connect()
    client.sendall(GET.replace(b"/ ", b"/stream "))
    client.recv(1000)
    if reset:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert loop.disconnected.wait(60)
    loop.gate.set()
    wait_until(lambda: len(loop.loop) == 0)


def test_the_application_hears_nothing_of_a_disconnect_after_its_stream(loop):
    loop.gate.set()
    with loop.connect() as client:
        client.sendall(GET.replace(b"/ ", b"/stream "))
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += client.recv(1000)
        client.sendall(GET)
        assert response(client) == (200, b"hello")
    wait_until(lambda: len(loop.loop) == 0)
    assert not loop.disconnected.is_set()


def test_a_client_that_only_ends_its_side_gets_its_response(loop):
    with loop.connect() as client:
        client.sendall(GET.replace(b"/ ", b"/large "))
        client.shutdown(socket.SHUT_WR)
        assert len(received(client)) > 20_000_000


def test_beyond_the_limit_the_oldest_connection_without_a_request_is_closed(loop, monkeypatch):
    monkeypatch.setattr(event_loop, "MAX_CONNECTIONS", 3)
    waiting = loop.connect()
    waiting.sendall(GET.replace(b"/ ", b"/wait "))
    assert loop.waiting.wait(60)
    idle = [loop.connect() for _ in range(6)]
    with loop.connect() as client:
        client.sendall(GET)
        assert response(client) == (200, b"hello")
    assert idle[0].recv(1) == b""
    loop.gate.set()
    assert response(waiting) == (200, b"waited")
    for client in (waiting, *idle):
        client.close()


def test_an_idle_connection_is_closed(loop, monkeypatch):
    monkeypatch.setattr(connection, "KEEP_ALIVE_SECONDS", 0.3)
    with loop.connect() as client:
        client.sendall(GET)
        assert response(client) == (200, b"hello")
        assert client.recv(1) == b""
