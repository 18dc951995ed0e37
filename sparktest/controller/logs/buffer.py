"""Buffer: a bounded pipe between the thread that reads a log and the one that uploads it."""

import threading
import time

# Bytes that are handed on together, and bytes at which the writer has to wait.
CHUNK_BYTES = 2**18
MAX_BYTES = 2**21
# After this, fewer than CHUNK_BYTES are handed on as well.
FLUSH_SECONDS = 0.5


class Buffer:
    """A bounded pipe of bytes for one writer and one reader.

    Attributes:
        incomplete_reason: why the bytes are not the whole log, known once `take` returned b"";
            None where they are.
    """

    def __init__(self) -> None:
        self.incomplete_reason: str | None = None
        self._changed = threading.Condition()
        self._parts: list[bytes] = []
        self._size = 0
        self._first_put_at = 0.0
        self._ended = False
        self._closed = False

    def wait_for_space(self, seconds: float) -> bool:
        """Wait while the buffer is full; return False when it still is after that time."""
        with self._changed:
            if self._is_full():
                self._changed.wait(seconds)
            return not self._is_full()

    def put(self, data: bytes) -> bool:
        """Append the bytes, however full the buffer is; return False once the reader is gone."""
        with self._changed:
            if data and not self._closed:
                self._first_put_at = self._first_put_at if self._parts else time.monotonic()
                self._parts.append(data)
                self._size += len(data)
                if len(self._parts) == 1 or self._size >= CHUNK_BYTES:
                    self._changed.notify_all()
            return not self._closed

    def end(self, incomplete_reason: str | None) -> None:
        """Announce that no more bytes come, and why the log is not complete (None: it is)."""
        with self._changed:
            self._ended = True
            self.incomplete_reason = incomplete_reason
            self._changed.notify_all()

    def take(self) -> bytes:
        """Return all bytes; b"" at the end.

        Waits for CHUNK_BYTES, but at most FLUSH_SECONDS from the first byte on.
        """
        with self._changed:
            while not self._ended and self._size < CHUNK_BYTES:
                wait = None
                if self._parts:
                    wait = self._first_put_at + FLUSH_SECONDS - time.monotonic()
                    if wait <= 0:
                        break
                self._changed.wait(wait)
            taken = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Announce that the reader is gone, so that the writer stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return self._size >= MAX_BYTES and not self._closed
