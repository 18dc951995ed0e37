"""Answers that go on: chunks of a log, events of a watch. Any thread may close them."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import msgspec
from urllib3 import BaseHTTPResponse

from sparktest.errors import TooLargeError, UnavailableError
from sparktest.kube.answers import status_error
from sparktest.kube.chunked import body_of

# An object is at most 1.5 MiB in etcd.
MAX_EVENT = 16 * 2**20


class WatchEvent(msgspec.Struct, frozen=True):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK (whose object has a resourceVersion only)."""

    type: str
    object: dict[str, Any]


class ByteStream:
    """The chunks of a body as they come; it ends when the body does or when it is closed.

    `close` may be called by another thread: it wakes the one that waits for the next chunk.
    """

    def __init__(
        self,
        response: BaseHTTPResponse,
        answering: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._response = response
        self._answering = answering
        self._chunks = body_of(response)
        self._closed = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._closed.is_set():
            raise StopIteration
        try:
            with self._answering():
                return next(self._chunks)
        except UnavailableError:
            if self._closed.is_set():
                raise StopIteration from None
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        # Only the reading thread may do this: closing a file that another one reads deadlocks.
        self._response.close()

    def close(self) -> None:
        """End the stream, now; from any thread."""
        self._closed.set()
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()


class WatchStream:
    """The events of a watch, in a `with`; it ends when the server ends it or when it is closed."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._decode = msgspec.json.Decoder(WatchEvent).decode
        self._lines = lines(stream)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WatchEvent:
        line = next(self._lines)
        try:
            event = self._decode(line)
        except msgspec.MsgspecError as error:
            raise UnavailableError("a watch was cut in the middle of an event") from error
        if event.type == "ERROR":
            raise status_error(event.object)
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.__exit__(kind, error, trace)

    def close(self) -> None:
        """End the watch, now; from any thread."""
        self._stream.close()


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream without their ends, empty ones left out; the last may have no end.

    Raises:
        TooLargeError: a line of more than MAX_EVENT bytes.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from filter(None, whole)
        if len(rest) > MAX_EVENT:
            raise TooLargeError(f"a line of more than {MAX_EVENT} bytes in a watch")
    if rest:
        yield rest
