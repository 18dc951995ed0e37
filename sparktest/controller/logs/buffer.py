"""Buffer: a bounded pipe from the thread that reads a log to the thread that uploads it."""

import threading
import time

# The uploading thread waits for CHUNK_BYTES, but at most FLUSH_SECONDS from the first byte on.
CHUNK_BYTES = 2**18
FLUSH_SECONDS = 0.5
# The reading thread waits when the buffer has this many bytes.
MAX_BYTES = 2**21


class Buffer:
    """A bounded pipe of bytes between one reading and one uploading thread.

    Attributes:
        incomplete_reason: why the log is incomplete, set when `take` returns b""; None if it is
            complete.
    """

    def __init__(self) -> None:
        self.incomplete_reason: str | None = None
        self._changed = threading.Condition()
        self._parts: list[bytes] = []
        self._size = 0
        self._first_put_at = 0.0
        self._ended = False
        self._ends_at: float | None = None
        self._closed = False

    def wait_for_space(self, seconds: float) -> bool:
        """Wait while the buffer is full; return False if it is still full after this time."""
        with self._changed:
            if self._is_full():
                self._changed.wait(seconds)
            return not self._is_full()

    def put(self, data: bytes) -> bool:
        """Append the bytes, even to a full buffer; return False once `close` was called."""
        with self._changed:
            if data and not self._closed:
                self._first_put_at = self._first_put_at if self._parts else time.monotonic()
                self._parts.append(data)
                self._size += len(data)
                if len(self._parts) == 1 or self._size >= CHUNK_BYTES:
                    self._changed.notify_all()
            return not self._closed

    def end(self, incomplete_reason: str | None) -> None:
        """Mark the end of the log, with the reason why it is incomplete (None if complete)."""
        with self._changed:
            self._ended = True
            self.incomplete_reason = incomplete_reason
            self._changed.notify_all()

    def end_within(self, seconds: float) -> None:
        """Mark the log as ended after this time, even if the reading thread goes on."""
        with self._changed:
            self._ends_at = self._ends_at or time.monotonic() + seconds
            self._changed.notify_all()

    def successor(self) -> "Buffer":
        """Return an empty buffer, which ends at the same time as this one."""
        made = Buffer()
        with self._changed:
            made._ends_at = self._ends_at
        return made

    def take(self) -> bytes:
        """Wait for bytes and return all of them; return b"" at the end."""
        with self._changed:
            while not self._ended and self._size < CHUNK_BYTES:
                wait = self._seconds_to_wait()
                if wait is not None and wait <= 0:
                    break
                self._changed.wait(wait)
            if self._ends_at is not None and time.monotonic() >= self._ends_at:
                self._ended = self._closed = True
            taken = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._changed.notify_all()
            return taken

    def stop(self) -> None:
        """End both threads, without the bytes that were not taken."""
        with self._changed:
            self._ended = self._closed = True
            self._parts, self._size = [], 0
            self._changed.notify_all()

    def close(self) -> None:
        """Mark the uploading thread as gone, so that the reading thread stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _seconds_to_wait(self) -> float | None:
        """Return how long `take` may wait; None for any time."""
        flush_at = self._first_put_at + FLUSH_SECONDS if self._parts else None
        times = [at for at in (flush_at, self._ends_at) if at is not None]
        return min(times) - time.monotonic() if times else None

    def _is_full(self) -> bool:
        return self._size >= MAX_BYTES and not self._closed
