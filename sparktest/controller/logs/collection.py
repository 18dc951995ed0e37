"""LogCollection: one log on its way from the kubelet into the API."""

import logging
import threading
from collections.abc import Callable

import msgspec

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import stream, uploader
from sparktest.controller.logs.buffer import Buffer
from sparktest.controller.logs.stream import LogStream
from sparktest.controller.logs.tail import LogTail
from sparktest.controller.logs.uploader import LogUploader, RestoredError, StoppedError
from sparktest.domain import Log, LogState
from sparktest.errors import GoneError
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import LogSource

log = logging.getLogger(__name__)

# How often the reading thread checks for a rotated log while the buffer is full.
FULL_BUFFER_SECONDS = 1.0
# How often a log is stored again after an unexpected exception.
MAX_EXCEPTIONS = 5


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
    """

    cluster: Cluster
    client: ApiClient
    source: Callable[[str, str, str], LogSource]
    stream_timings: stream.Timings | None = None
    upload_backoff: Backoff = uploader.BACKOFF


class LogCollection:
    """Collects one log in the thread that calls `collect`, and reads it in a second one.

    Other threads may call `end_within` and `stop`.
    """

    def __init__(self, target: Target, connections: Connections) -> None:
        self.target = target
        self._connections = connections
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._buffer = Buffer()

    @property
    def is_stopped(self) -> bool:
        """True once `stop` was called."""
        return self._stopping.is_set()

    def end_within(self, seconds: float) -> None:
        """Let the log end after this time, even if its container goes on."""
        with self._lock:
            self._buffer.end_within(seconds)

    def stop(self) -> None:
        """Stop to collect, without a result."""
        self._stopping.set()
        with self._lock:
            self._buffer.stop()

    def collect(self) -> CollectedLog | None:
        """Store the log in the API; return its state there, None after `stop`."""
        run_id, container = self.target.run_id, self.target.container
        try:
            found = self._store()
        except StoppedError:
            return None
        except GoneError:
            found = CollectedLog(Log(state=LogState.NONE, reason="RunDeleted"))
        except Exception as error:
            log.exception("log not stored run_id=%s container=%s", run_id, container)
            found = CollectedLog(Log(state=LogState.PARTIAL, reason=type(error).__name__))
        state, stored = found.log.state.value, found.log.bytes
        text = "log stored run_id=%s container=%s state=%s bytes=%d"
        log.info(text, run_id, container, state, stored)
        return found

    def _store(self) -> CollectedLog:
        failures = 0
        while True:
            try:
                return self._store_once()
            except (GoneError, StoppedError):
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
            if self._stopping.wait(self._connections.upload_backoff.delay(failures)):
                raise StoppedError
            with self._lock:
                self._buffer = self._buffer.successor()
            failures += 1

    def _store_once(self) -> CollectedLog:
        stored = threading.Event()
        found, buffer, tail = self._connections, self._buffer, LogTail()
        at = (self.target.namespace, self.target.pod, self.target.container)
        source = LogStream(
            found.cluster,
            *at,
            stopping=stored,
            timings=found.stream_timings,
            source=lambda: found.source(*at),
        )
        target = LogUploader(
            found.client,
            self.target.run_id,
            self.target.container,
            stopping=self._stopping,
            backoff=found.upload_backoff,
        )
        threading.Thread(
            target=_read, args=(source, buffer, tail), name="log-read", daemon=True
        ).start()
        try:
            state = target.store(buffer)
        finally:
            # A silent log would be read as long as its container runs.
            stored.set()
        whole = tail.whole_text if state.state is LogState.COMPLETE else None
        return CollectedLog(state, tail.last_line, whole)


def _read(source: LogStream, buffer: Buffer, tail: LogTail) -> None:
    """Read the log into the buffer; the kubelet waits while the buffer is full."""
    incomplete_reason = None
    try:
        for chunk in source.chunks():
            tail.add(chunk)
            source.open_rotated()
            while not buffer.wait_for_space(FULL_BUFFER_SECONDS):
                source.open_rotated()
            if not buffer.put(chunk):
                return
        incomplete_reason = source.incomplete_reason
    except Exception as error:
        log.exception("log not read")
        incomplete_reason = type(error).__name__
    finally:
        buffer.end(incomplete_reason)
