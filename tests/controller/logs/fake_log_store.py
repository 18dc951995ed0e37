"""A fake of the API's log storage, with its rule for offsets."""

from typing import Any

from sparktest.errors import OffsetError


class LogStore:
    """The stored log of one run, and the faults of the next calls.

    A fault that is an exception is raised before the data is stored; an exception in a tuple is
    raised afterwards.
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
            raise OffsetError("does not continue what is stored", stored=len(self.stored))
        if fault:
            raise fault[0]
        return len(self.stored)
