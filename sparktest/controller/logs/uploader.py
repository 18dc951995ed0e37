"""LogUploader: stores each byte of a log once, even if two controllers store the same log."""

import logging
from collections.abc import Generator
from threading import Semaphore

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs.cursor import GAP
from sparktest.domain import Log, LogState
from sparktest.errors import GoneError, OffsetError, SparkTestError, TooLargeError

log = logging.getLogger(__name__)

MAX_CHUNK_BYTES = 2**18
# A proxy in front of the API may accept only small bodies.
MIN_CHUNK_BYTES = 2**10
# The last stored bytes, which are compared before anything is appended.
OVERLAP_BYTES = 2**12
MAX_GAPS = 3
# Between two tries to be one of those that wait for the API.
TURN_SECONDS = 0.1
BACKOFF = Backoff(first=0.2, cap=5.0)


class RestoredError(Exception):
    """Error for an API that lost a part of the log, because its database was restored."""


class LogUploader:
    """Appends one log to its stored part; used by one thread at a time.

    It receives the log from the first byte on. It compares the beginning and end of the part that
    an earlier controller stored, then skips it. If they differ, the log has been rotated since
    then, and a line in the stored log marks the missing bytes.

    Attributes:
        stored: the number of bytes that the API has.
        gaps: how often bytes were missing.
    """

    def __init__(
        self,
        client: ApiClient,
        run_id: str,
        container: str,
        *,
        appends: Semaphore,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self.stored = 0
        self.gaps = 0
        self._client = client
        self._run_id = run_id
        self._container = container
        self._appends = appends
        self._backoff = backoff
        self._max_chunk_bytes = MAX_CHUNK_BYTES
        self._offset = 0

    def append(self, data: bytes) -> Generator[float, None, None]:
        """Store the next bytes of the log; yield the seconds to wait before each retry.

        Raises:
            RestoredError: the API has less than it had confirmed: read the log from its start.
            GoneError: the run was deleted.
            OffsetError: the log never continues what is stored.
        """
        while data := self._skip(data):
            size = self._max_chunk_bytes
            try:
                data = (yield from self._send(data[:size])) + data[size:]
            except TooLargeError:
                self._max_chunk_bytes = max(min(size, len(data)) // 2, MIN_CHUNK_BYTES)

    def log(self, incomplete_reason: str | None) -> Log:
        """Return the state of the stored log; the reason is None if it was read to its end."""
        reason = incomplete_reason or ("LogRotated" if self.gaps else None)
        if reason is None:
            return Log(state=LogState.COMPLETE, bytes=self.stored)
        state = LogState.PARTIAL if self.stored else LogState.NONE
        return Log(state=state, reason=reason, bytes=self.stored)

    def _skip(self, data: bytes) -> bytes:
        """Skip the stored bytes that need no comparison; return the other bytes."""
        if self._offset == 0:
            return data
        skipped = max(0, min(self.stored - OVERLAP_BYTES - self._offset, len(data)))
        self._offset += skipped
        return data[skipped:]

    def _send(self, data: bytes) -> Generator[float, None, bytes]:
        """Send a chunk, or only its stored part to compare it; return what is left to send."""
        rest = b""
        if self._offset < self.stored:
            data, rest = data[: self.stored - self._offset], data[self.stored - self._offset :]
        try:
            stored = yield from self._append_with_retry(data)
            self.stored = max(stored, self._offset + len(data))
        except OffsetError as error:
            return self._resolve(data, error) + rest
        self._offset += len(data)
        return rest

    def _resolve(self, data: bytes, error: OffsetError) -> bytes:
        """Return what to send after an OffsetError: the same bytes, to be split, or a gap.

        The API accepts the bytes that it already has. So a rejected chunk extends beyond the end
        of the stored log, or differs from it.
        """
        if error.stored < self._offset:
            raise RestoredError
        other_writer = error.stored != self.stored
        self.stored = error.stored
        if other_writer and self._offset < self.stored < self._offset + len(data):
            return data
        self.gaps += 1
        if self.gaps > MAX_GAPS:
            raise error
        log.warning("log does not continue the stored log run_id=%s", self._run_id)
        self._offset = self.stored
        return GAP + data

    def _append_with_retry(self, data: bytes) -> Generator[float, None, int]:
        """Append until the API accepts it: giving up would lose a log that the pod still has.

        Only the API itself knows that the run was deleted. Every other answer may be that of a
        rotated token, of a proxy, or of an API that is being restored.
        """
        failures = 0
        while True:
            while not self._appends.acquire(blocking=False):
                yield TURN_SECONDS
            try:
                return self._client.append_log(self._run_id, self._container, self._offset, data)
            except (GoneError, OffsetError):
                raise
            except SparkTestError as error:
                if isinstance(error, TooLargeError) and len(data) > MIN_CHUNK_BYTES:
                    raise
                delay = max(self._backoff.delay(failures), error.retry_after or 0.0)
                if failures == 0:
                    self._warn(error)
            finally:
                self._appends.release()
            yield delay
            failures += 1

    def _warn(self, error: SparkTestError) -> None:
        text = "log waits run_id=%s container=%s error=%s"
        log.warning(text, self._run_id, self._container, error.detail)
