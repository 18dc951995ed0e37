"""An HTTP server that answers from a script, with broken responses too."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

Script = Callable[["Handler"], None]


class Request(NamedTuple):
    """A request as it was received."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Records each request and answers it with the next script; the last one is repeated."""

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

    do_GET = handle_request  # noqa: N815 - the names that http.server calls
    do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815 - as above

    def log_message(self, *args: Any) -> None:
        """Print nothing."""


class ScriptedApi:
    """A running server: its URL, the requests it has received, and the scripts that answer them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.scripts: list[Script] = []
        self.closing = threading.Event()


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """Run a server on a free loopback port."""
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
) -> Script:
    """Return a script that answers with JSON, or with a raw body.

    `length` overrides the Content-Length.
    """
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


def problem(status: int, headers: dict[str, str] | None = None, **members: Any) -> Script:
    """Return a script that answers with a problem+json (RFC 9457)."""
    return answer(
        {"status": status, **members},
        status,
        headers={"Content-Type": "application/problem+json"} | (headers or {}),
    )


def stream(*chunks: bytes, then: Script) -> Script:
    """Return a script that sends chunks, then runs another script."""

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
    """End a chunked response."""
    handler.wfile.write(b"0\r\n\r\n")


def cut(handler: Handler) -> None:
    """Close the connection."""
    handler.close_connection = True


def reset(handler: Handler) -> None:
    """Reset the connection."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


def silence(handler: Handler) -> None:
    """Send nothing until the server closes."""
    handler.api.closing.wait()
    handler.close_connection = True
