"""Faults and scripted responses of the fake API server."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any


class Exchange(BaseHTTPRequestHandler):
    """One request and its response; `closing` is set when the server stops."""

    closing: threading.Event

    def begin_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


Fault = Callable[[Exchange], None]


def refuse(
    status: int, message: str = "", *, headers: dict[str, str] | None = None, **details: Any
) -> Fault:
    """Return a fault that answers with a Status object."""
    given = {"kind": "Status", "code": status, "message": message, "details": details}
    return reply(json.dumps(given).encode(), status=status, headers=headers)


def reply(
    body: bytes,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    length: int | None = None,
) -> Fault:
    """Return a fault that answers with this body; a larger `length` breaks the connection."""

    def answer(handler: Exchange) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = length is not None

    return answer


def chunks(*parts: bytes, end: bool = True, hang: bool = False) -> Fault:
    """Return a fault that streams the parts, then ends, breaks (not `end`) or falls silent."""

    def answer(handler: Exchange) -> None:
        handler.begin_chunks()
        for part in parts:
            handler.chunk(part)
        if hang:
            handler.closing.wait()
        if end:
            handler.chunk(b"")
        handler.close_connection = hang or not end

    return answer


def hang(handler: Exchange) -> None:
    """Never answer."""
    handler.closing.wait()
    handler.close_connection = True


def drop(handler: Exchange) -> None:
    """Close the connection without a response."""
    handler.close_connection = True
