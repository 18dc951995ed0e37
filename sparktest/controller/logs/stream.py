"""LogStream: reads the whole log of a container, across broken streams and rotated files.

The kubelet rotates the log of a container every 10 MiB and opens only the newest file, so a slow
stream ends with its old file and misses the files after it. Therefore LogStream checks for a new
file while much data arrives, and opens a stream for each, which keeps the file readable even after
the next rotation. Sometimes the kubelet notices a rotation in time and continues the old stream
with the new file; LogStream then ignores what the new file's own stream delivers, too.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from threading import Event, Semaphore

import msgspec

from sparktest.backoff import Backoff
from sparktest.controller.logs.cursor import CUT_STAMP, LogCursor, stamp_of
from sparktest.controller.logs.loop import Pause
from sparktest.errors import InvalidError, NotFoundError, SparkTestError, UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.pod_view import LogSource, PodState
from sparktest.kube.streams import ByteStream

log = logging.getLogger(__name__)

# Older versions of Kubernetes send this with status 200 when the container is gone; 1.34 answers
# 400. It is never part of a log, whose lines begin with a timestamp.
NO_LOG = b"unable to retrieve container logs for "
END_POLL_SECONDS = 0.05
RETRY_TURN_SECONDS = 0.5


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals and limits for reading a log.

    Attributes:
        unreachable_seconds: how long the log of a container that has ended may be unreadable.
        no_log_seconds: how long the kubelet may say that there is no log.
        end_seconds: how long a container may still count as running after the end of its log.
        silent_seconds: how long a stream may have no data before it is opened again.
        rotation_seconds: between two checks for a new file.
        rotation_bytes: the bytes within `rotation_seconds` that cause such a check.
        max_rotated: the number of rotated files that are kept open.
    """

    unreachable_seconds: float = 300.0
    no_log_seconds: float = 5.0
    backoff: Backoff = Backoff(first=0.5, cap=15.0)
    end_seconds: float = 2.0
    silent_seconds: float = 75.0
    rotation_seconds: float = 3.0
    rotation_bytes: int = 2**19
    max_rotated: int = 40

    def limit(self, error: SparkTestError) -> float:
        """Return how long a log of a container that has ended may fail with this error."""
        return self.no_log_seconds if isinstance(error, InvalidError) else self.unreachable_seconds


class LogStream:
    """Reads the log of one container; used by one thread.

    Attributes:
        incomplete_reason: after the end, why the log is incomplete; None if it is complete.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        pod: str,
        container: str,
        *,
        source: Callable[[], LogSource],
        stopping: Event,
        retries: Semaphore,
        timings: Timings | None = None,
    ) -> None:
        self.incomplete_reason: str | None = None
        self._cluster = cluster
        self._namespace = namespace
        self._pod = pod
        self._container = container
        self._source = source
        self._stopping = stopping
        self._retries = retries
        self._timings = timings or Timings()
        self._cursor = LogCursor()
        # The rotated files that are open, each with its first chunk.
        self._rotated: deque[tuple[ByteStream, bytes]] = deque()
        self._newest_stamp = b""
        self._checked_at = time.monotonic()
        self._bytes_since_check = 0
        self._bytes = 0
        self._broken = False
        self._skips = False
        self._restarts = source().restarts or 0
        self._failures = 0
        self._failing_since: float | None = None

    def chunks(self) -> Generator[bytes | Pause, None, None]:
        """Yield the text as it arrives, until the log ends or cannot be read further.

        While there is nothing to read, yield what to wait for.

        Call `open_rotated` after each chunk.
        """
        try:
            while not self._stopping.is_set():
                try:
                    if (yield from self._stream()):
                        break
                except SparkTestError as error:
                    self._broken = True
                    if self._give_up(error):
                        break
                    yield Pause(self._timings.backoff.delay(self._failures))
                    self._failures += 1
            yield self._cursor.finish()
        finally:
            for stream, _ in self._rotated:
                with stream:
                    stream.close()
        if (self._cursor.gaps or self._skips) and self.incomplete_reason is None:
            self.incomplete_reason = "LogRotated"

    def open_rotated(self, *, stalled: bool = False) -> None:
        """Check for another file of the log if a check is due, and open it.

        `stalled`: nothing is read at the moment, so that how much is written cannot be seen.
        """
        now = time.monotonic()
        if now - self._checked_at < self._timings.rotation_seconds:
            return
        much = stalled or self._bytes_since_check >= self._timings.rotation_bytes
        self._checked_at, self._bytes_since_check = now, 0
        if not much or not self._newest_stamp:
            return
        if len(self._rotated) >= self._timings.max_rotated:
            # The kubelet goes on from the last of them to the newest file, without those between.
            self._skips = True
            return
        try:
            self._open_next()
        except SparkTestError as error:
            log.warning("log rotation check failed pod=%s error=%s", self._pod, error.detail)

    def _open_next(self) -> None:
        """Open the newest file of the log, unless it is open already."""
        with ExitStack() as stack:
            stream = stack.enter_context(self._open(None))
            first = _first_chunk(stream)
            stamp = stamp_of(first)
            # A file that does not begin after the cursor is the current one.
            if stamp <= max(self._newest_stamp, self._cursor.stamp):
                return
            stack.pop_all()
        self._newest_stamp = stamp
        self._rotated.append((stream, first))

    def _stream(self) -> Generator[bytes | Pause, None, bool]:
        """Read one stream to its end; return True if that was the end of the log."""
        restarts = self._source().restarts or self._restarts
        if restarts != self._restarts and not self._rotated:
            # A restarted container has a new file; on the dev cluster it continues the old one.
            self._open_next()
            self._restarts = restarts
        if self._rotated:
            stream, first = self._rotated.popleft()
            rest = self._cursor.next_file(complete=not self._broken)
        else:
            stream, first, rest = (yield from self._open_current()), b"", b""
            self._cursor.resume()
        self._broken = False
        self._failures = 0
        with stream:
            yield rest
            yield from self._read(stream, first)
        if self._rotated or not (yield from self._has_ended()):
            return False
        return not self._has_next()

    def _read(self, stream: ByteStream, first: bytes) -> Iterator[bytes | Pause]:
        chunk = first or (yield from self._begin(stream))
        self._newest_stamp = self._newest_stamp or stamp_of(chunk)
        while chunk:
            self._failing_since = None
            self._bytes_since_check += len(chunk)
            self._bytes += len(chunk)
            yield self._cursor.feed(chunk, [stamp_of(first) for _, first in self._rotated])
            if self._cursor.rotated:
                return
            chunk = yield from self._next(stream)

    def _begin(self, stream: ByteStream) -> Generator[Pause, None, bytes]:
        """Return the first chunk, as _first_chunk does, without blocking."""
        first = yield from self._next(stream)
        _require_log(first)
        while first and CUT_STAMP.fullmatch(first) and (more := (yield from self._next(stream))):
            first += more
        return first

    def _next(self, stream: ByteStream) -> Generator[Pause, None, bytes]:
        """Return the next bytes; b"" at the end."""
        silent_at = time.monotonic() + self._timings.silent_seconds
        while (chunk := stream.poll()) == b"":
            if time.monotonic() >= silent_at:
                raise UnavailableError("the log had no data for too long")
            yield Pause(silent_at - time.monotonic(), stream)
        return chunk or b""

    def _open_current(self) -> Generator[Pause, None, ByteStream]:
        """Open the stream from the cursor on; few of those that failed before do so at once."""
        if not self._failures:
            return self._open(self._cursor.since)
        while not self._retries.acquire(blocking=False):
            yield Pause(RETRY_TURN_SECONDS)
        try:
            return self._open(self._cursor.since)
        finally:
            self._retries.release()

    def _open(self, since: str | None) -> ByteStream:
        return self._cluster.pod_log(
            self._namespace,
            self._pod,
            self._container,
            follow=True,
            since_time=since,
            timestamps=True,
        )

    def _has_next(self) -> bool:
        """Return True if the log of an ended container continues in a file that is not open yet.

        The end of a stream does not show if there is a newer file.
        """
        if self._bytes < self._timings.rotation_bytes:
            return False
        try:
            self._open_next()
        except (NotFoundError, InvalidError):  # gone, and all open files have been read
            return False
        return bool(self._rotated)

    def _has_ended(self) -> Generator[Pause, None, bool]:
        """Return True if the container has ended, which is known shortly after its log ends."""
        deadline = time.monotonic() + self._timings.end_seconds
        while self._source().state is PodState.RUNNING:
            if time.monotonic() > deadline or self._stopping.is_set():
                return False
            yield Pause(END_POLL_SECONDS)
        return True

    def _give_up(self, error: SparkTestError) -> bool:
        """Set `incomplete_reason` if the log cannot be read further; return True if it is set.

        An error does not prove that pod and log are gone: a proxy, a kubelet that starts again and
        a revoked right send the same ones.
        """
        state = self._source().state
        if state is PodState.GONE:
            self.incomplete_reason = "PodDeleted"
        elif state is PodState.RUNNING:
            # A silent test looks like an unreachable kubelet: retry both.
            self._failing_since = None
        elif self._failing_seconds() >= self._timings.limit(error):
            self.incomplete_reason = _reason(error)
        return self.incomplete_reason is not None

    def _failing_seconds(self) -> float:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since


def _reason(error: SparkTestError) -> str:
    if isinstance(error, InvalidError):
        return "NoLog"
    if isinstance(error, NotFoundError):
        return "PodDeleted"
    return "KubeletUnreachable" if error.retryable else error.title.replace(" ", "")


def _first_chunk(stream: ByteStream) -> bytes:
    """Return the first chunk with its whole timestamp; b"" if the stream is empty."""
    first = next(stream, b"")
    _require_log(first)
    while first and CUT_STAMP.fullmatch(first) and (more := next(stream, b"")):
        first += more
    return first


def _require_log(first: bytes) -> None:
    """Raise InvalidError for the kubelet's message that it has no log."""
    if first.startswith(NO_LOG):
        raise InvalidError(first.decode(errors="replace"))
