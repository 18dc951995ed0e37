"""Upload: puts a log into the API, each byte once, whoever else puts the same log there."""

import logging
from threading import Event

import msgspec

from sparktest.client import ApiClient
from sparktest.controller.place import GAP
from sparktest.errors import OffsetError, SparkTestError

log = logging.getLogger(__name__)

CHUNK = 2**18
# Bytes at the end of what is stored that are compared before more is put behind them.
SEAM = 2**12
MAX_GAPS = 3


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between attempts while the API does not answer."""

    first_retry: float = 0.2
    last_retry: float = 5.0


class StoppedError(Exception):
    """The controller stops; the next one goes on from what is stored."""


class Upload:
    """One log on its way to the API; used by one thread.

    It begins at the log's first byte. What the API has already (a controller before this one put
    it there) is passed over, after comparing its beginning and its end: where they differ, the
    log was rotated since, and a line says that bytes are missing.

    Attributes:
        stored: bytes that the API has.
        gaps: how often bytes were missing.
    """

    def __init__(
        self,
        client: ApiClient,
        run_id: str,
        container: str,
        *,
        stopping: Event,
        pace: Pace | None = None,
    ) -> None:
        self.stored = 0
        self.gaps = 0
        self._client = client
        self._run_id = run_id
        self._container = container
        self._stopping = stopping
        self._pace = pace or Pace()
        self._offset = 0

    def append(self, data: bytes) -> None:
        """Have the next bytes of the log stored; returns when they are.

        Raises:
            StoppedError: the controller stops.
            SparkTestError: the API will not have them, now or later.
        """
        while data:
            data = data[self._known(data) :]
            if data:
                data = self._send(data[:CHUNK]) + data[CHUNK:]

    def _known(self, data: bytes) -> int:
        """How many of the bytes are stored and need no comparison."""
        if self._offset == 0:
            return 0
        known = min(self.stored - SEAM - self._offset, len(data))
        if known <= 0:
            return 0
        self._offset += known
        return known

    def _send(self, data: bytes) -> bytes:
        """Send a chunk, or as much of it as is stored already; the rest is returned."""
        if self._offset < self.stored:
            data, rest = data[: self.stored - self._offset], data[self.stored - self._offset :]
        else:
            rest = b""
        try:
            self.stored = max(self._patiently(data), self._offset + len(data))
        except OffsetError as error:
            return self._joined(data, error) + rest
        self._offset += len(data)
        return rest

    def _joined(self, data: bytes, error: OffsetError) -> bytes:
        """What to send after a refusal: the same in two parts, or what follows a gap.

        The API takes again what it has, if it is the same. So a refused chunk reaches beyond the
        end of what is stored, or is not the same.
        """
        other = error.stored != self.stored
        self.stored = error.stored
        if other and self._offset < self.stored < self._offset + len(data):
            return data
        self.gaps += 1
        if self.gaps > MAX_GAPS:
            raise error
        log.warning("log does not join what is stored run_id=%s", self._run_id)
        self._offset = self.stored
        return GAP + data

    def _patiently(self, data: bytes) -> int:
        wait = self._pace.first_retry
        while True:
            try:
                return self._client.append_log(self._run_id, self._container, self._offset, data)
            except SparkTestError as error:
                if not error.retryable:
                    raise
                pause = max(wait, error.retry_after or 0)
            if self._stopping.wait(pause):
                raise StoppedError
            wait = min(wait * 2, self._pace.last_retry)
