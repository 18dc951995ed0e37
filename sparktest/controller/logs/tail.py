"""LogTail: the end of a log while it is read, and the whole of a short one. Pure."""

MAX_BYTES = 2**13


class LogTail:
    """The last bytes of a log; one thread writes it.

    Attributes:
        size: the number of bytes in the whole log.
    """

    def __init__(self) -> None:
        self.size = 0
        self._end = b""

    def add(self, data: bytes) -> None:
        """Append the next bytes of the log."""
        self.size += len(data)
        self._end = (self._end + data[-MAX_BYTES:])[-MAX_BYTES:]

    @property
    def last_line(self) -> str:
        """The last line that is not blank; only its end if it is very long."""
        lines = self._end.decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    @property
    def whole_text(self) -> str | None:
        """The whole log; None if it has more than MAX_BYTES."""
        return self._end.decode(errors="replace") if self.size <= MAX_BYTES else None
