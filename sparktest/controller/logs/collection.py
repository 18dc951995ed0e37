"""LogCollection: one log on its way from the kubelet into the API."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator

import msgspec

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import stream, uploader
from sparktest.controller.logs.batch import Batch
from sparktest.controller.logs.loop import Pause
from sparktest.controller.logs.stream import LogStream
from sparktest.controller.logs.tail import LogTail
from sparktest.controller.logs.uploader import LogUploader, RestoredError
from sparktest.domain import Log, LogState
from sparktest.errors import GoneError, OffsetError
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import LogSource

log = logging.getLogger(__name__)

# Between two checks for a rotated file while nothing can be stored. The kubelet rotates a log at
# most every 10 seconds; what is between two checks is lost.
ROTATION_SECONDS = 2.5
# How often a log is stored again after an unexpected exception.
MAX_EXCEPTIONS = 5


class StoppedError(Exception):
    """Error for a log that is left to the next controller, or collected again from its start."""


class Target(msgspec.Struct, frozen=True):
    """Whose log it is: a container of a run's pod, by names and the id of the run."""

    namespace: str
    run_id: str
    pod: str
    container: str


class Connections(msgspec.Struct, frozen=True):
    """What every log is read from and stored in.

    Attributes:
        source: returns what is known of the container with this namespace, pod and name.
        appends: bounds the threads that wait for the API.
        retries: bounds the threads that wait for a kubelet that has not answered before.
    """

    cluster: Cluster
    client: ApiClient
    source: Callable[[str, str, str], LogSource]
    appends: threading.Semaphore
    retries: threading.Semaphore
    stream_timings: stream.Timings | None = None
    upload_backoff: Backoff = uploader.BACKOFF


class LogCollection:
    """Collects one log. Other threads may call `end_within` and `stop`, and then wake its task."""

    def __init__(self, target: Target, connections: Connections) -> None:
        self.target = target
        self._connections = connections
        self._stopping = threading.Event()
        self._ends_at: float | None = None
        self._uploader: LogUploader | None = None

    @property
    def is_stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopping.is_set()

    def end_within(self, seconds: float) -> None:
        """Let the log end after this time, even if its container goes on; the first call counts."""
        self._ends_at = self._ends_at or time.monotonic() + seconds

    def stop(self) -> None:
        """Stop to collect, without a result."""
        self._stopping.set()

    def steps(self) -> Generator[Pause, None, CollectedLog | None]:
        """Yield what to wait for; return the log's state in the API, None after `stop`."""
        run_id, container = self.target.run_id, self.target.container
        try:
            found = yield from self._store()
        except StoppedError:
            return None
        except GoneError:
            found = CollectedLog(Log(state=LogState.NONE, reason="RunDeleted"))
        except Exception as error:
            log.exception("log not stored run_id=%s container=%s", run_id, container)
            found = CollectedLog(self._incomplete(type(error).__name__))
        text = "log stored run_id=%s container=%s state=%s bytes=%d"
        log.info(text, run_id, container, found.log.state.value, found.log.bytes)
        return found

    def _incomplete(self, reason: str) -> Log:
        return self._uploader.log(reason) if self._uploader else Log(reason=reason)

    def _store(self) -> Generator[Pause, None, CollectedLog]:
        failures = 0
        while True:
            try:
                return (yield from self._store_once())
            except (GoneError, OffsetError, StoppedError):
                raise
            except Exception as error:
                if failures >= MAX_EXCEPTIONS and not isinstance(error, RestoredError):
                    raise
                log.warning(
                    "log is stored again run_id=%s container=%s",
                    self.target.run_id,
                    self.target.container,
                    exc_info=not isinstance(error, RestoredError),
                )
            yield from self._wait(Pause(self._connections.upload_backoff.delay(failures)))
            failures += 1

    def _store_once(self) -> Generator[Pause, None, CollectedLog]:
        found, tail, batch = self._connections, LogTail(), Batch()
        at = (self.target.namespace, self.target.pod, self.target.container)
        source = LogStream(
            found.cluster,
            *at,
            stopping=self._stopping,
            retries=found.retries,
            timings=found.stream_timings,
            source=lambda: found.source(*at),
        )
        self._uploader = target = LogUploader(
            found.client,
            self.target.run_id,
            self.target.container,
            appends=found.appends,
            backoff=found.upload_backoff,
        )
        failed: Exception | None = None
        try:
            yield from self._copy(source, target, batch, tail)
        except (GoneError, RestoredError, StoppedError):
            raise
        except Exception as error:  # noqa: BLE001 - raised below, after what was read is stored
            failed = error
        yield from self._append(source, target, batch)
        if failed is not None:
            raise failed
        state = target.log(source.incomplete_reason)
        whole = tail.whole_text if state.state is LogState.COMPLETE else None
        return CollectedLog(state, tail.last_line, whole)

    def _copy(
        self, source: LogStream, target: LogUploader, batch: Batch, tail: LogTail
    ) -> Generator[Pause, None, None]:
        with contextlib.closing(source.chunks()) as chunks:
            for part in chunks:
                if isinstance(part, Pause):
                    yield from self._pause(part, source, target, batch)
                else:
                    tail.add(part)
                    batch.add(part)
                    source.open_rotated()
                    if batch.is_due:
                        yield from self._append(source, target, batch)
                        # In turn with the other logs.
                        yield Pause(0)
                if self._is_over():
                    return

    def _pause(
        self, pause: Pause, source: LogStream, target: LogUploader, batch: Batch
    ) -> Generator[Pause, None, None]:
        """Wait; but what has been read is stored first, or more of it is awaited first."""
        if batch.size and pause.stream is not None and not batch.is_due:
            pause = Pause(batch.seconds_left)
        elif batch.size:
            yield from self._append(source, target, batch)
        seconds = pause.seconds
        if self._ends_at is not None:
            seconds = min(seconds, self._ends_at - time.monotonic())
        yield from self._wait(Pause(seconds, pause.stream))

    def _append(
        self, source: LogStream, target: LogUploader, batch: Batch
    ) -> Generator[Pause, None, None]:
        for seconds in target.append(batch.take()):
            left = seconds
            while left > 0:
                # A rotated file can be read only while it is open.
                source.open_rotated(stalled=True)
                yield from self._wait(Pause(min(left, ROTATION_SECONDS)))
                left -= ROTATION_SECONDS

    def _wait(self, pause: Pause) -> Iterator[Pause]:
        yield pause
        if self._stopping.is_set():
            raise StoppedError

    def _is_over(self) -> bool:
        if self._stopping.is_set():
            raise StoppedError
        return self._ends_at is not None and time.monotonic() >= self._ends_at
