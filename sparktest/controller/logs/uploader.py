"""LogUploader: stores a log in the API, each byte once, even where two controllers store it."""

import logging
import random
from threading import Event

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs.buffer import Buffer
from sparktest.controller.logs.cursor import GAP
from sparktest.domain import Log, LogState
from sparktest.errors import (
    ForbiddenError,
    GoneError,
    NotFoundError,
    OffsetError,
    SparkTestError,
    UnauthorizedError,
)

log = logging.getLogger(__name__)

MAX_CHUNK_BYTES = 2**18
# Bytes at the end of what is stored that are compared before anything is appended.
OVERLAP_BYTES = 2**12
MAX_GAPS = 3
BACKOFF = Backoff(first=0.2, cap=5.0)


class StoppedError(Exception):
    """The controller stops; the next one resumes from what is stored."""


class LogUploader:
    """Appends one log to what the API has of it; used by one thread.

    It is given the log from its first byte on. What the API has already (a controller before
    this one stored it) is skipped, after its beginning and its end were compared: where they
    differ, the log was rotated since, and a line in the stored log says that bytes are missing.

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
        self._rng = random.Random()  # noqa: S311 - jitter is no secret
        self._rng = random.Random()  # noqa: S311 - jitter is no secret
        self._offset = 0

    def store(self, buffer: Buffer) -> Log:
        """Store all that comes through the buffer; return what the API has of the log then.

        Raises:
            StoppedError: the controller stops.
            GoneError, NotFoundError: the run was deleted.
        """
        try:
            while chunk := buffer.take():
                self.append(chunk)
        except (GoneError, NotFoundError):
            raise
        except SparkTestError as error:
            log.warning("log rejected run_id=%s error=%s", self._run_id, error.detail)
            return self._log(type(error).__name__.removesuffix("Error"))
        finally:
            buffer.close()
        return self._log(buffer.incomplete_reason or ("LogRotated" if self.gaps else None))

    def append(self, data: bytes) -> None:
        """Store the next bytes of the log; return when the API has them.

        Raises:
            StoppedError: the controller stops.
            SparkTestError: the API rejects them, and would reject them again.
        """
        while data:
            data = data[self._skip(data) :]
            if data:
                data = self._send(data[:MAX_CHUNK_BYTES]) + data[MAX_CHUNK_BYTES:]

    def _log(self, incomplete_reason: str | None) -> Log:
        if incomplete_reason is None:
            return Log(state=LogState.COMPLETE, bytes=self.stored)
        state = LogState.PARTIAL if self.stored else LogState.NONE
        return Log(state=state, reason=incomplete_reason, bytes=self.stored)

    def _skip(self, data: bytes) -> int:
        """Skip the bytes that are stored and need no comparison; return their number."""
        if self._offset == 0:
            return 0
        skipped = min(self.stored - OVERLAP_BYTES - self._offset, len(data))
        if skipped <= 0:
            return 0
        self._offset += skipped
        return skipped

    def _send(self, data: bytes) -> bytes:
        """Send a chunk, or the part of it that is stored already; return what is left to send."""
        if self._offset < self.stored:
            data, rest = data[: self.stored - self._offset], data[self.stored - self._offset :]
        else:
            rest = b""
        try:
            self.stored = max(self._append_with_retry(data), self._offset + len(data))
        except OffsetError as error:
            return self._resolve(data, error) + rest
        self._offset += len(data)
        return rest

    def _resolve(self, data: bytes, error: OffsetError) -> bytes:
        """Return what to send after an OffsetError: the same bytes in two parts, or a gap.

        The API accepts bytes that it has already if they are the same. So a rejected chunk
        reaches beyond the end of what is stored, or differs from it.
        """
        other_writer = error.stored != self.stored
        self.stored = error.stored
        if other_writer and self._offset < self.stored < self._offset + len(data):
            return data
        self.gaps += 1
        if self.gaps > MAX_GAPS:
            raise error
        log.warning("log does not continue what is stored run_id=%s", self._run_id)
        self._offset = self.stored
        return GAP + data

    def _append_with_retry(self, data: bytes) -> int:
        failures = 0
        while True:
            try:
                return self._client.append_log(self._run_id, self._container, self._offset, data)
            except (UnauthorizedError, ForbiddenError) as error:
                # A token that is being rotated, a proxy in front of the API: as reports do, a log
                # waits for that to pass. Giving up would lose a log that the pod still has.
                retry_after = error.retry_after
            except SparkTestError as error:
                if not error.retryable:
                    raise
                retry_after = error.retry_after
            delay = max(self._backoff.delay(failures, self._rng), retry_after or 0.0)
            if self._stopping.wait(delay):
                raise StoppedError
            failures += 1
