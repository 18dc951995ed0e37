"""LogUploader: stores each byte of a log once, even if two controllers store the same log."""

import logging
from threading import Event

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs.buffer import Buffer
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
BACKOFF = Backoff(first=0.2, cap=5.0)


class StoppedError(Exception):
    """Error for an upload that was stopped: the log is read again, or by the next controller."""


class RestoredError(Exception):
    """Error for an API that lost a part of the log, because its database was restored."""


class LogUploader:
    """Appends one log to its stored part; used by one thread.

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
        stopping: Event,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self.stored = 0
        self.gaps = 0
        self._client = client
        self._run_id = run_id
        self._container = container
        self._stopping = stopping
        self._backoff = backoff
        self._max_chunk_bytes = MAX_CHUNK_BYTES
        self._offset = 0

    def store(self, buffer: Buffer) -> Log:
        """Store the log that the buffer delivers; return its state in the API.

        Raises:
            StoppedError: the upload was stopped.
            RestoredError: read the log again from its start.
            GoneError: the run was deleted.
        """
        try:
            while chunk := buffer.take():
                self.append(chunk)
        except OffsetError as error:
            self._warn("log rejected", error)
            return self._log("OffsetConflict")
        finally:
            buffer.close()
        if self._stopping.is_set():
            raise StoppedError
        return self._log(buffer.incomplete_reason or ("LogRotated" if self.gaps else None))

    def append(self, data: bytes) -> None:
        """Store the next bytes of the log; return when the API has them.

        Raises:
            StoppedError: the upload was stopped.
            RestoredError: the API has less than it had confirmed.
            GoneError: the run was deleted.
            OffsetError: the log never continues what is stored.
        """
        while data := self._skip(data):
            size = self._max_chunk_bytes
            try:
                data = self._send(data[:size]) + data[size:]
            except TooLargeError:
                self._max_chunk_bytes = max(min(size, len(data)) // 2, MIN_CHUNK_BYTES)

    def _log(self, incomplete_reason: str | None) -> Log:
        if incomplete_reason is None:
            return Log(state=LogState.COMPLETE, bytes=self.stored)
        state = LogState.PARTIAL if self.stored else LogState.NONE
        return Log(state=state, reason=incomplete_reason, bytes=self.stored)

    def _skip(self, data: bytes) -> bytes:
        """Skip the stored bytes that need no comparison; return the other bytes."""
        if self._offset == 0:
            return data
        skipped = max(0, min(self.stored - OVERLAP_BYTES - self._offset, len(data)))
        self._offset += skipped
        return data[skipped:]

    def _send(self, data: bytes) -> bytes:
        """Send a chunk, or only its stored part to compare it; return what is left to send."""
        rest = b""
        if self._offset < self.stored:
            data, rest = data[: self.stored - self._offset], data[self.stored - self._offset :]
        try:
            self.stored = max(self._append_with_retry(data), self._offset + len(data))
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

    def _append_with_retry(self, data: bytes) -> int:
        """Append until the API accepts it: giving up would lose a log that the pod still has.

        Only the API itself knows that the run was deleted. Every other answer may be that of a
        rotated token, of a proxy, or of an API that is being restored.
        """
        failures = 0
        while True:
            try:
                return self._client.append_log(self._run_id, self._container, self._offset, data)
            except (GoneError, OffsetError):
                raise
            except SparkTestError as error:
                if isinstance(error, TooLargeError) and len(data) > MIN_CHUNK_BYTES:
                    raise
                delay = max(self._backoff.delay(failures), error.retry_after or 0.0)
                if failures == 0:
                    self._warn("log waits", error)
            if self._stopping.wait(delay):
                raise StoppedError
            failures += 1

    def _warn(self, message: str, error: SparkTestError) -> None:
        log.warning(
            "%s run_id=%s container=%s error=%s",
            message,
            self._run_id,
            self._container,
            error.detail,
        )
