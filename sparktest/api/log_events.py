"""A followed log as Server-Sent Events: clients and proxies see heartbeats. Pure."""

from base64 import b64encode
from collections.abc import Iterable, Iterator

import msgspec

from sparktest.api import sse

# The most bytes of a character in UTF-8.
MAX_CHARACTER_BYTES = 4


def encode(pieces: Iterable[bytes], offset: int) -> Iterator[bytes]:
    """Yield the stream: events `log` with pieces of the log, and `end` after the last one.

    The id of an event is the number of bytes up to its end. Its data is `{"text"}`, or `{"base64"}`
    where the bytes are no UTF-8.

    Args:
        pieces: of the log; empty bytes stand for a heartbeat.
        offset: where the first piece begins.
    """
    yield sse.opening(str(offset))
    rest = b""
    for piece in pieces:
        if not piece:
            yield sse.heartbeat(str(offset))
            continue
        # A character may continue in the next piece.
        data = rest + piece
        end = len(data) - _incomplete(data)
        data, rest = data[:end], data[end:]
        if data:
            offset += len(data)
            yield _event(data, offset)
    if rest:
        offset += len(rest)
        yield _event(rest, offset)
    yield sse.event("end", b"{}", str(offset))


def _event(data: bytes, end: int) -> bytes:
    try:
        document = {"text": data.decode()}
    except UnicodeDecodeError:
        document = {"base64": b64encode(data).decode()}
    return sse.event("log", msgspec.json.encode(document), str(end))


def _incomplete(data: bytes) -> int:
    """Return how many bytes at the end are the beginning of a character."""
    for count in range(1, MAX_CHARACTER_BYTES):
        byte = data[-count] if count <= len(data) else 0
        if byte >= 0b1100_0000:
            size = 2 + (byte >= 0b1110_0000) + (byte >= 0b1111_0000)
            return count if count < size else 0
        if byte < 0b1000_0000:
            return 0
    return 0
