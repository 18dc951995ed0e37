"""A small HTTP server for stand-ins that must cost less than what they measure."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

REASONS = {200: "OK", 201: "Created", 404: "Not Found", 409: "Conflict", 422: "Unprocessable"}


class Request(NamedTuple):
    """One request; `query` has the last value of each name."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes


class Response(NamedTuple):
    """A whole response of JSON, unless `media_type` says otherwise."""

    status: int
    body: bytes
    media_type: str = "application/json"


class Stream:
    """A chunked response, which ends with `close` or when the client leaves.

    Attributes:
        closed: it has ended.
        stamped: its lines begin with a timestamp.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self.closed = False
        self.stamped = False

    def begin(self, transport: asyncio.Transport) -> None:
        """Send the head and what was written before."""
        self._transport = transport
        transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        early, self._early = self._early, []
        for data in early:
            self._send(data)

    def write(self, data: bytes) -> None:
        """Send data as one chunk."""
        if data and not self.closed:
            self._send(b"%x\r\n%b\r\n" % (len(data), data))

    def close(self) -> None:
        """End the body."""
        if not self.closed:
            self._send(b"0\r\n\r\n")
        self.closed = True

    def _send(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.write(data)


Respond = Callable[[Request], Response | Stream]


class Connection(asyncio.Protocol):
    """A connection that is kept open; a stream is its last response."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._data = b""
        self._stream: Stream | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End the stream."""
        if self._stream is not None:
            self._stream.closed = True

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end]
            length = _content_length(head)
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        path, _, query = target.partition("?")
        found = self._respond(Request(method, unquote(path), dict(parse_qsl(query)), body))
        if isinstance(found, Stream):
            self._stream = found
            found.begin(self._transport)
            return
        self._transport.write(
            f"HTTP/1.1 {found.status} {REASONS.get(found.status, 'Other')}\r\n"
            f"Content-Type: {found.media_type}\r\n"
            f"Content-Length: {len(found.body)}\r\n\r\n".encode()
            + found.body
        )


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def serve(port: int, respond: Respond) -> None:
    """Serve on the loopback interface until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(respond), "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()
