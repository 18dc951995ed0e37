import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from sparktest.errors import UnavailableError
from sparktest.write_guard import guard_writes


class Server(ThreadingHTTPServer):
    """A server that records what it received."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers with nothing."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Write nothing to stderr."""

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) == size:
            self.server.received.append((self.command, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer  # noqa: N815


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


class Guard:
    """Allows this many parts of requests."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed

    def __call__(self) -> None:
        self.allowed -= 1
        if self.allowed < 0:
            raise UnavailableError("not now")


POOLS = {"pool": urllib3.connection_from_url, "manager": lambda url: urllib3.PoolManager()}


@pytest.mark.parametrize("make", POOLS.values(), ids=POOLS)
def test_a_write_is_sent_only_if_the_check_passes_and_a_read_always(
    server: Server, make: Any
) -> None:
    guard = Guard(2)
    with make(server.url) as pool:
        guard_writes(pool, guard)
        # Head and body are a part each.
        pool.request("POST", f"{server.url}/", body=b"first", retries=False)
        with pytest.raises(UnavailableError, match="not now"):
            pool.request("POST", f"{server.url}/", body=b"second", retries=False)
        assert pool.request("GET", f"{server.url}/", retries=False).status == 200
    assert server.received == [("POST", b"first"), ("GET", b"")]


def test_a_write_that_may_not_be_sent_any_more_after_its_head_is_never_complete(
    server: Server,
) -> None:
    with urllib3.connection_from_url(server.url) as pool:
        guard_writes(pool, Guard(1))
        with pytest.raises(UnavailableError):
            pool.request("POST", "/", body=b"body", retries=False)
        # The connection with half a request is not used again.
        assert pool.request("GET", "/", retries=False).status == 200
    assert server.received == [("GET", b"")]


def test_the_check_comes_after_the_connection_was_made(server: Server) -> None:
    connected: list[bool] = []
    with urllib3.connection_from_url(server.url) as pool:
        plain = pool.ConnectionCls

        class Recording(plain):  # type: ignore[misc, valid-type]
            def connect(self) -> None:
                super().connect()
                connected.append(True)

        pool.ConnectionCls = Recording
        guard_writes(pool, lambda: connected.append(False))
        pool.request("POST", "/", body=b"x", retries=False)
    assert connected == [True, False, False]
