"""The wait of a log stream ends when its client disconnects."""

import socket
import time

import pytest

from sparktest.api.streams import wait_or_disconnect


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_the_wait_lasts_while_the_client_is_connected(pair):
    assert wait_or_disconnect(pair[0])(0.01) is False


def test_the_wait_ends_when_the_client_disconnects(pair):
    pair[1].close()
    started = time.monotonic()
    assert wait_or_disconnect(pair[0])(10) is True
    assert time.monotonic() - started < 5


def test_a_client_that_pipelines_a_request_is_still_connected(pair):
    pair[1].send(b"GET /")
    started = time.monotonic()
    assert wait_or_disconnect(pair[0])(0.05) is False
    assert time.monotonic() - started >= 0.05
    assert pair[0].recv(5) == b"GET /"


def test_the_wait_ends_when_the_connection_is_reset(pair):
    broken, _ = pair
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as client:
        broken, _ = listener.accept()
        # No lingering: closing resets the connection.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        with broken:
            assert wait_or_disconnect(broken)(10) is True


def test_without_a_socket_the_wait_is_a_sleep():
    assert wait_or_disconnect(None)(0.01) is False
