"""Buffer: bytes between one thread that reads a log and one that stores it."""

import threading
import time
from collections.abc import Callable

# What is handed on at once, and what is held before the reader has to wait.
CHUNK = 2**18
HELD = 2**21
# Less than a chunk is handed on after this.
FLUSH_SECONDS = 0.5


class Buffer:
    """A bounded pipe of bytes for one writer and one reader.

    Attributes:
        failure: why the writer ended early, None where it did not.
    """

    def __init__(self) -> None:
        self.failure: str | None = None
        self._changed = threading.Condition()
        self._parts: list[bytes] = []
        self._size = 0
        self._since = 0.0
        self._ended = False
        self._closed = False

    def put(self, data: bytes, *, while_full: Callable[[], None]) -> bool:
        """Whether the bytes were taken: False once the reader is gone.

        Waits while the buffer is full, and calls `while_full` about once a second then.
        """
        while not self._room():
            while_full()
        with self._changed:
            if data and not self._closed:
                self._since = self._since if self._parts else time.monotonic()
                self._parts.append(data)
                self._size += len(data)
                if len(self._parts) == 1 or self._size >= CHUNK:
                    self._changed.notify_all()
            return not self._closed

    def end(self) -> None:
        """There is no more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def take(self) -> bytes:
        """All that is there, once it is enough or has waited long enough; empty at the end."""
        with self._changed:
            while not self._ended and self._size < CHUNK:
                wait = self._since + FLUSH_SECONDS - time.monotonic() if self._parts else None
                if wait is not None and wait <= 0:
                    break
                self._changed.wait(wait)
            taken = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """The reader is gone; the writer need not go on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _room(self) -> bool:
        with self._changed:
            if self._size >= HELD and not self._closed:
                self._changed.wait(1.0)
            return self._size < HELD or self._closed
