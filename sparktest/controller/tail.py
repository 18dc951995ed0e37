"""Tail: the whole log of a container, from its beginning to its end, whatever happens between.

The kubelet keeps a log as a row of files and shows only the newest. It starts another every 10 MiB
and a reader that lags behind is then left with the old file and never told of the new one. So
while much is coming, Tail looks whether there is another file, and keeps a stream on each: a
stream that is open keeps its file. The kubelet goes over into the new file by itself where it heard
of it in time; what it says of a file that has a stream of its own is left to that.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from enum import StrEnum
from threading import Event

import msgspec

from sparktest.controller.place import CUT_STAMP, STAMP, Place
from sparktest.errors import InvalidError, NotFoundError, SparkTestError
from sparktest.kube.cluster import ByteStream, Cluster
from sparktest.kube.jobs import CONTAINER

log = logging.getLogger(__name__)


class PodState(StrEnum):
    """What is known of the pod whose log is read."""

    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, but for `look_bytes` and `files`.

    `patience`: with a kubelet that does not answer for a pod that has ended. `notice`: until the
    end of a container that ended its log is known. `look_bytes` in `look`: what counts as much.
    """

    patience: float = 300.0
    first_retry: float = 0.5
    last_retry: float = 15.0
    notice: float = 2.0
    look: float = 3.0
    look_bytes: int = 2**19
    files: int = 16


class Tail:
    """Reads a container's log; used by one thread.

    Attributes:
        reason: after the end, why the log is not whole; None where it is.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        pod: str,
        *,
        state: Callable[[], PodState],
        stopping: Event,
        pace: Pace | None = None,
    ) -> None:
        self.reason: str | None = None
        self._cluster = cluster
        self._namespace = namespace
        self._pod = pod
        self._state = state
        self._stopping = stopping
        self._pace = pace or Pace()
        self._place = Place()
        self._files: deque[tuple[ByteStream, bytes]] = deque()
        self._newest = b""
        self._looked_at = time.monotonic()
        self._since_look = 0
        self._total = 0
        self._broken = False
        self._retry = self._pace.first_retry
        self._failing_since: float | None = None

    def chunks(self) -> Iterator[bytes]:
        """The text as it comes; ends at the end of the log, or where no more can be had."""
        try:
            while not self._stopping.is_set():
                try:
                    if (yield from self._stream()):
                        break
                except SparkTestError as error:
                    self._broken = True
                    if self._give_up(error):
                        break
                    self._stopping.wait(self._retry)
                    self._retry = min(self._retry * 2, self._pace.last_retry)
            yield self._place.finish()
        finally:
            for stream, _ in self._files:
                with stream:
                    stream.close()
        if self._place.gaps and self.reason is None:
            self.reason = "LogRotated"

    def look_ahead(self) -> None:
        """Secure the next file of the log if there may be one; called now and then."""
        now = time.monotonic()
        if now - self._looked_at < self._pace.look:
            return
        much, self._since_look = self._since_look >= self._pace.look_bytes, 0
        self._looked_at = now
        if not much or not self._newest or len(self._files) >= self._pace.files:
            return
        try:
            self._secure()
        except SparkTestError as error:
            log.warning("log look-ahead failed pod=%s error=%s", self._pod, error.detail)

    def _secure(self) -> None:
        with ExitStack() as leaving:
            stream = leaving.enter_context(self._open(None))
            first = _first(stream)
            stamp = _stamp(first)
            # A file that begins no later than where we are is the one that is being read.
            if stamp <= max(self._newest, self._place.stamp):
                return
            leaving.pop_all()
        self._newest = stamp
        self._files.append((stream, first))

    def _stream(self) -> Generator[bytes, None, bool]:
        """Read one stream to its end; answers whether that was the end of the log."""
        if self._files:
            stream, first = self._files.popleft()
            left = self._place.next_file(whole=not self._broken)
        else:
            stream, first, left = self._open(self._place.since), b"", b""
            self._place.resume()
        self._broken = False
        self._retry = self._pace.first_retry
        with stream:
            yield left
            yield from self._read(stream, first)
        return not self._files and self._ended() and not self._another()

    def _read(self, stream: ByteStream, first: bytes) -> Iterator[bytes]:
        chunk = first or _first(stream)
        self._newest = self._newest or _stamp(chunk)
        while chunk:
            self._failing_since = None
            self._since_look += len(chunk)
            self._total += len(chunk)
            yield self._place.feed(chunk, [_stamp(first) for _, first in self._files])
            if self._place.passed:
                return
            self.look_ahead()
            chunk = next(stream, b"")

    def _open(self, since: str | None) -> ByteStream:
        return self._cluster.pod_log(
            self._namespace, self._pod, CONTAINER, follow=True, since_time=since, timestamps=True
        )

    def _another(self) -> bool:
        """Whether the log of a container that has ended goes on in a file not looked into yet.

        The kubelet ends the stream on an old file without a word about the new one.
        """
        if self._total < self._pace.look_bytes:
            return False
        try:
            self._secure()
        except NotFoundError:  # the pod is gone: what was open has been read
            return False
        return bool(self._files)

    def _ended(self) -> bool:
        """Whether the container has ended, as is known a little after its log did."""
        deadline = time.monotonic() + self._pace.notice
        while self._state() is PodState.RUNNING:
            if time.monotonic() > deadline or self._stopping.wait(0.05):
                return False
        return True

    def _give_up(self, error: SparkTestError) -> bool:
        state = self._state()
        if isinstance(error, NotFoundError):
            self.reason = "PodDeleted"
        elif state is PodState.RUNNING:
            # A silent test looks like a silent kubelet: both are asked again.
            self._failing_since = None
        elif isinstance(error, InvalidError):
            self.reason = "NoLog"
        elif state is PodState.GONE:
            self.reason = "PodDeleted"
        elif self._failing() >= self._pace.patience:
            self.reason = "KubeletUnreachable"
        return self.reason is not None

    def _failing(self) -> float:
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        return now - self._failing_since


def _first(stream: ByteStream) -> bytes:
    """The first chunk, with the whole timestamp in it; empty where there is none."""
    first = next(stream, b"")
    while first and CUT_STAMP.fullmatch(first) and (more := next(stream, b"")):
        first += more
    return first


def _stamp(chunk: bytes) -> bytes:
    found = STAMP.match(chunk)
    return found[0] if found else b""
