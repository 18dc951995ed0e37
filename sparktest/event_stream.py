"""Read Server-Sent Events (text/event-stream), and the pieces of logs that they have. Pure."""

from base64 import b64decode
from typing import NamedTuple

import msgspec

from sparktest.errors import UnavailableError

MIMETYPE = "text/event-stream"
# An event has a run, which has a template of 256 KiB at most.
MAX_BLOCK_BYTES = 64 * 1024 * 1024


class ServerEvent(NamedTuple):
    """An event; of a block that has only an id, kind and data are empty."""

    kind: str
    data: bytes
    id: str


class _LogPiece(msgspec.Struct):
    text: str | None = None
    base64: str | None = None


class EventReader:
    """The state of reading one stream."""

    def __init__(self) -> None:
        self._pending = b""
        self._last_id = ""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Return the events that are complete with this part of the body.

        Raises:
            UnavailableError: an event is larger than any that the API sends.
        """
        *blocks, self._pending = (self._pending + chunk).split(b"\n\n")
        if len(self._pending) > MAX_BLOCK_BYTES:
            raise UnavailableError("the API sent an event without an end")
        events = (self._read(block) for block in blocks)
        return [event for event in events if event is not None]

    def _read(self, block: bytes) -> ServerEvent | None:
        kind, data, has_id = "message", [], False
        for line in block.split(b"\n"):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"id":
                self._last_id, has_id = value.decode(errors="replace"), True
            elif name == b"event":
                kind = value.decode(errors="replace")
            elif name == b"data":
                data.append(value)
        if data:
            return ServerEvent(kind, b"\n".join(data), self._last_id)
        return ServerEvent("", b"", self._last_id) if has_id else None


def log_bytes(event: ServerEvent) -> bytes:
    """Return the bytes of the log that an event `log` has.

    Raises:
        UnavailableError: the event is malformed.
    """
    try:
        piece = msgspec.json.decode(event.data, type=_LogPiece)
        if piece.base64 is not None:
            return b64decode(piece.base64, validate=True)
        return (piece.text or "").encode()
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnavailableError(f"the API sent an invalid piece of a log: {error}") from error
