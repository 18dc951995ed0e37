"""An HTTP server that answers what a test tells it to, however wrong."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

Serve = Callable[["Handler"], None]


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Notes the request and lets the next script answer; the last script answers for ever."""

    protocol_version = "HTTP/1.1"
    api: "ScriptedApi"

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.api.requests.append(
            Request(self.command, url.path, parse_qs(url.query), dict(self.headers), body)
        )
        scripts = self.api.scripts
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        script(self)

    do_GET = handle_request  # noqa: N815 - what http.server calls them
    do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815 - as above

    def log_message(self, *args: Any) -> None:
        """Nothing on the terminal of the test."""


class ScriptedApi:
    """Its `url`, the `requests` that came, and the `scripts` that answer them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.scripts: list[Serve] = []
        self.closing = threading.Event()


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """A server on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = ScriptedApi(f"http://127.0.0.1:{server.server_address[1]}/api")
    server.RequestHandlerClass = type("Bound", (Handler,), {"api": api})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def answer(
    document: Any = None,
    status: int = 200,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    length: int | None = None,
) -> Serve:
    """An answer with JSON, or with a body as it is, which may claim another length."""
    data = json.dumps(document).encode() if body is None else body

    def script(handler: Handler) -> None:
        handler.send_response(status)
        found = {"Content-Type": "application/json", "Content-Length": str(length or len(data))}
        for name, value in (found | (headers or {})).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = length is not None

    return script


def problem(status: int, headers: dict[str, str] | None = None, **members: Any) -> Serve:
    """A problem+json (RFC 9457)."""
    return answer(
        {"status": status, **members},
        status,
        headers={"Content-Type": "application/problem+json"} | (headers or {}),
    )


def stream(*chunks: bytes, then: Serve) -> Serve:
    """A chunked answer that ends as the other script wants."""

    def script(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        then(handler)

    return script


def end(handler: Handler) -> None:
    """The end of a chunked answer."""
    handler.wfile.write(b"0\r\n\r\n")


def cut(handler: Handler) -> None:
    """A connection that just ends."""
    handler.close_connection = True


def reset(handler: Handler) -> None:
    """A connection that is torn down."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


def silence(handler: Handler) -> None:
    """Nothing, until the server closes."""
    handler.api.closing.wait()
    handler.close_connection = True
