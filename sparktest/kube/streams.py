"""Streaming responses: the chunks of a log and the events of a watch."""

import contextlib
import functools
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Self

import msgspec
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ProtocolError

from sparktest.errors import TooLargeError, UnavailableError
from sparktest.kube.decoding import decode
from sparktest.kube.status import error_from_status

# An object is at most 1.5 MiB in etcd.
MAX_EVENT_BYTES = 16 * 2**20
# The most that is read at once.
READ_BYTES = 2**16
MAX_CHUNK_HEADER_BYTES = 2**16


class WatchEvent(msgspec.Struct, frozen=True):
    """An event of type ADDED, MODIFIED, DELETED or BOOKMARK (which has only a resourceVersion)."""

    type: str
    object: dict[str, Any]


class ByteStream:
    """An iterator over the chunks of a body; ends when the body ends or `close` is called."""

    def __init__(
        self, response: BaseHTTPResponse, map_errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._response = response
        self._map_errors = map_errors
        self._chunks = read_body(response)
        self._socket = _socket(response)
        self._was_polled = False
        self._closed = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        while not (chunk := self._next()):
            pass
        return chunk

    def poll(self) -> bytes | None:
        """Return what has arrived: b"" for nothing, None at the end of the body."""
        while self._is_ready():
            try:
                chunk = self._next()
            except StopIteration:
                return None
            if chunk:
                return chunk
        return b""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when `poll` may have more."""
        return -1 if self._socket is None else self._socket.fileno()

    def _is_ready(self) -> bool:
        """Return True if the response can be read without waiting, or cannot be polled."""
        if self._socket is None or self._closed.is_set() or self._has_ended():
            return True
        if not self._was_polled:
            self._was_polled = True
            # The head of the response may have arrived with a part of the body.
            if _buffered(self._response, self._socket):
                return True
        # TLS: a record is always read whole, so what is left of it is not in the socket.
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        found = select.poll()
        found.register(self._socket, select.POLLIN)
        return bool(found.poll(0))

    def _has_ended(self) -> bool:
        # Without a file to read from: the end arrived together with the last data.
        return _chunked_response(self._response) is None

    def _next(self) -> bytes:
        """Return the next bytes; b"" if only framing has arrived."""
        if self._closed.is_set():
            raise StopIteration
        try:
            with self._map_errors():
                return next(self._chunks)
        except UnavailableError:
            if self._closed.is_set():
                raise StopIteration from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        # Only here, in the reading thread: closing a file that another thread reads deadlocks.
        self._response.close()

    def close(self) -> None:
        """End the stream at once, also for a thread that waits for the next chunk."""
        self._closed.set()
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()


class WatchStream:
    """An iterator over the events of a watch; ends when the server ends it or after `close`."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._decoder = msgspec.json.Decoder(WatchEvent)
        self._lines = _lines(stream)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WatchEvent:
        line = next(self._lines)
        try:
            event = decode(line, self._decoder)
        except msgspec.MsgspecError as error:
            raise UnavailableError("a watch was cut in the middle of an event") from error
        if event.type == "ERROR":
            raise error_from_status(event.object)
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.__exit__(*error)

    def close(self) -> None:
        """End the watch at once, also for a thread that waits for the next event."""
        self._stream.close()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream that are not empty, without their line ends.

    Raises:
        TooLargeError: a line is longer than MAX_EVENT_BYTES.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
        if len(rest) > MAX_EVENT_BYTES:
            raise TooLargeError(f"a line of more than {MAX_EVENT_BYTES} bytes in a watch")
    if rest:
        yield rest


def read_body(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the body of a response as it arrives, many HTTP chunks at once; b"" for a part of one.

    The kubelet sends each line of a log as a separate chunk. urllib3 yields them one by one,
    which takes 8 times as long for many short lines: see bench/log_lines.py.

    Raises:
        ProtocolError: the body ends early, or is not chunked as announced.
        OSError: the connection breaks, or a read times out.
    """
    http = _chunked_response(response)
    if http is None:
        yield from response.stream(READ_BYTES)
        return
    decoder, ended = ChunkedDecoder(), False
    while not ended:
        try:
            # read1 waits only when no data has arrived, and leaves nothing in the buffer.
            data = decoder.feed(http.fp.read1(READ_BYTES))
        except (OSError, ProtocolError):
            response.close()
            raise
        ended = decoder.ended
        if ended and decoder.rest == b"\r\n\r\n":
            # Everything has been read: the connection can be reused.
            http.close()
            response.release_conn()
        elif ended:
            response.close()
        yield data


def _chunked_response(response: BaseHTTPResponse) -> Any:
    """Return the http.client response of a chunked body; None if only urllib3 can read it."""
    if not getattr(response, "chunked", False) or "content-encoding" in response.headers:
        return None
    # _fp is private; in a version of urllib3 without it, urllib3 reads the body.
    http = getattr(response, "_fp", None)
    return http if hasattr(getattr(http, "fp", None), "read1") else None


def _socket(response: BaseHTTPResponse) -> socket.socket | None:
    """Return the socket of a chunked response; None if it is not known."""
    http = _chunked_response(response)
    found = getattr(getattr(getattr(http, "fp", None), "raw", None), "_sock", None)
    return found if isinstance(found, socket.socket) else None


def _buffered(response: BaseHTTPResponse, connection: socket.socket) -> bool:
    """Return True if bytes of the body have been read from the socket already."""
    timeout = connection.gettimeout()
    connection.settimeout(0)
    try:
        return bool(_chunked_response(response).fp.peek())
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    finally:
        connection.settimeout(timeout)


class ChunkedDecoder:
    """Decodes a chunked body (RFC 9112, section 7.1).

    Attributes:
        ended: True after the last chunk.
        rest: bytes that are not decoded yet; after the end, the line ends of the last chunk.
    """

    def __init__(self) -> None:
        self.ended = False
        # Every chunk size is between two line ends, except for the first.
        self.rest = b"\r\n"
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """Return the content of the next bytes of the body.

        Raises:
            ProtocolError: `data` is empty (the body ended early), or it is not chunked.
        """
        if not data:
            raise ProtocolError("Response ended prematurely")
        data = self.rest + data
        at, left, parts = 0, self._left, []
        while True:
            if left:
                stop = at + left
                parts.append(data[at:stop])
                if stop > len(data):
                    at, left = len(data), stop - len(data)
                    break
                at = stop
            left = 0
            end = data.find(b"\r\n", at + 2)
            if end < 0:
                break
            left = _chunk_size(data[at:end])
            if not left:
                self.ended, at = True, end
                break
            at = end + 2
        self.rest, self._left = data[at:], left
        if len(self.rest) > MAX_CHUNK_HEADER_BYTES and not self.ended:
            raise ProtocolError("Response chunk size line exceeded maximum allowed length")
        return b"".join(parts)


# Most lines of a log have one of a few lengths.
@functools.lru_cache(maxsize=4096)
def _chunk_size(header: bytes) -> int:
    try:
        size = int(header[2:].split(b";", 1)[0], 16)
    except ValueError:
        size = -1
    if size < 0 or not header.startswith(b"\r\n"):
        raise ProtocolError(f"Response chunk has no size: {header[:40]!r}")
    return size
