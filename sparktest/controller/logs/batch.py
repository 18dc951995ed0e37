"""Batch: the bytes of a log that are stored together."""

import time

# What has been read is stored when it has this many bytes, or is this old.
MAX_BYTES = 2**18
MAX_SECONDS = 1.0


class Batch:
    """Collects bytes for one request.

    Attributes:
        size: the number of bytes.
    """

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._first_at = 0.0

    def add(self, data: bytes) -> None:
        """Append bytes."""
        if not data:
            return
        if not self._parts:
            self._first_at = time.monotonic()
        self._parts.append(data)
        self.size += len(data)

    @property
    def seconds_left(self) -> float:
        """How long more bytes may be awaited."""
        return max(0.0, self._first_at + MAX_SECONDS - time.monotonic())

    @property
    def is_due(self) -> bool:
        """True if there are bytes that should be stored now."""
        return self.size >= MAX_BYTES or bool(self._parts and not self.seconds_left)

    def take(self) -> bytes:
        """Return all bytes and drop them."""
        taken = b"".join(self._parts)
        self._parts, self.size = [], 0
        return taken
