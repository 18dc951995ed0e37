"""A wait that ends when nobody listens any more."""

import socket
import time

import pytest

from sparktest.api.streams import wait_or_disconnect


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_client_that_stays_is_waited_with(pair):
    assert wait_or_disconnect(pair[0])(0.01) is False


def test_a_client_that_goes_ends_the_wait(pair):
    pair[1].close()
    began = time.monotonic()
    assert wait_or_disconnect(pair[0])(10) is True
    assert time.monotonic() - began < 5


def test_a_client_that_sends_early_is_still_there(pair):
    pair[1].send(b"GET /")
    began = time.monotonic()
    assert wait_or_disconnect(pair[0])(0.05) is False
    assert time.monotonic() - began >= 0.05
    assert pair[0].recv(5) == b"GET /"


def test_a_connection_that_broke_ends_the_wait(pair):
    broken, _ = pair
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as client:
        broken, _ = listener.accept()
        # No lingering: closing resets the connection.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        with broken:
            assert wait_or_disconnect(broken)(10) is True


def test_without_a_socket_it_just_waits():
    assert wait_or_disconnect(None)(0.01) is False
