"""The API's rule for logs, at the client's door."""

from typing import Any

from sparktest.errors import OffsetError


class LogStore:
    """The API's rule for logs, and what goes wrong with the next calls.

    A fault is an error that comes instead of the call; a tuple of one comes after it.
    """

    def __init__(self, *faults: Any) -> None:
        self.stored = b""
        self.faults = list(faults)

    def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
        assert data
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if offset == len(self.stored):
            self.stored += data
        elif self.stored[offset : offset + len(data)] != data:
            raise OffsetError("does not join", stored=len(self.stored))
        if fault:
            raise fault[0]
        return len(self.stored)
