"""LogCollector: stores the complete logs of pods in the API."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import stream, uploader
from sparktest.controller.logs.buffer import Buffer
from sparktest.controller.logs.stream import LogStream
from sparktest.controller.logs.uploader import LogUploader, StoppedError
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState
from sparktest.errors import GoneError, NotFoundError
from sparktest.kube.cluster import Cluster
from sparktest.kube.pod_view import PodState, PodView

log = logging.getLogger(__name__)

# How often the reading thread checks for a rotated log while the buffer is full.
FULL_BUFFER_SECONDS = 1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many logs are collected at once.

    Attributes:
        followers: logs of running tests.
        fetchers: logs of tests that have ended.
    """

    followers: int = 64
    fetchers: int = 8


class LogCollector:
    """Collects logs in threads, two for each log; any thread may call its methods.

    Args:
        state: returns the state of the pod with this namespace and name.
        on_key: called in such a thread with a key whose log is done, or whose test can be
            followed now because another log is done.
    """

    def __init__(
        self,
        cluster: Cluster,
        client: ApiClient,
        *,
        state: Callable[[str, str], PodState],
        on_key: Callable[[Key], None],
        limits: Limits | None = None,
        stream_timings: stream.Timings | None = None,
        upload_backoff: Backoff = uploader.BACKOFF,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._state = state
        self._on_key = on_key
        self._limits = limits or Limits()
        self._stream_timings = stream_timings
        self._upload_backoff = upload_backoff
        self._lock = threading.Lock()
        self._logs: dict[Key, Log | None] = {}
        self._follower_count = 0
        # Running tests that found no free follower, the longest waiting first.
        self._waiting: dict[Key, None] = {}
        self._stopping = threading.Event()
        self._fetchers = ThreadPoolExecutor(self._limits.fetchers, "log-fetch")

    def collect(self, key: Key, run_id: str, pod: PodView) -> bool:
        """Start to collect the pod's log, unless it is being collected or done already.

        Returns False if too many running tests are followed, and after `stop`.
        """
        with self._lock:
            if key in self._logs:
                return True
            if self._stopping.is_set():
                return False
            ended = pod.is_terminal
            if not ended and self._follower_count >= self._limits.followers:
                self._waiting[key] = None
                return False
            self._waiting.pop(key, None)
            self._logs[key] = None
            self._follower_count += not ended
        if ended:
            self._fetchers.submit(self._collect_in_thread, key, run_id, pod.name)
        else:
            threading.Thread(
                target=self._follow, args=(key, run_id, pod.name), name="log-follow", daemon=True
            ).start()
        return True

    def is_collecting(self, key: Key) -> bool:
        """Return True while the log is being collected, or waits for a free thread."""
        with self._lock:
            return key in self._logs and self._logs[key] is None

    def log(self, key: Key) -> Log | None:
        """Return the state of the log in the API; None until the log is done."""
        with self._lock:
            return self._logs.get(key)

    def forget(self, key: Key) -> None:
        """Drop the state of a log that is done."""
        with self._lock:
            self._waiting.pop(key, None)
            if self._logs.get(key) is not None:
                del self._logs[key]

    def stop(self) -> None:
        """Start no more logs and stop the others; the next controller resumes them."""
        self._stopping.set()
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    # --- in the threads of a log -----------------------------------------------------------------

    def _follow(self, key: Key, run_id: str, pod: str) -> None:
        try:
            self._collect_in_thread(key, run_id, pod)
        finally:
            with self._lock:
                self._follower_count -= 1
                waiting = next(iter(self._waiting), None)
                if waiting:
                    del self._waiting[waiting]
            if waiting and not self._stopping.is_set():
                self._on_key(waiting)

    def _collect_in_thread(self, key: Key, run_id: str, pod: str) -> None:
        try:
            done = self._store(key[0], run_id, pod)
        except StoppedError:
            return
        except (GoneError, NotFoundError):
            done = Log(state=LogState.NONE, reason="RunDeleted")
        except Exception as error:
            log.exception("log not stored run_id=%s pod=%s", run_id, pod)
            done = Log(state=LogState.PARTIAL, reason=type(error).__name__)
        if self._stopping.is_set():
            return
        with self._lock:
            self._logs[key] = done
        log.info("log stored run_id=%s state=%s bytes=%d", run_id, done.state.value, done.bytes)
        self._on_key(key)

    def _store(self, namespace: str, run_id: str, pod: str) -> Log:
        source = LogStream(
            self._cluster,
            namespace,
            pod,
            stopping=self._stopping,
            timings=self._stream_timings,
            state=lambda: self._state(namespace, pod),
        )
        target = LogUploader(
            self._client, run_id, stopping=self._stopping, backoff=self._upload_backoff
        )
        buffer = Buffer()
        threading.Thread(target=_read, args=(source, buffer), name="log-read", daemon=True).start()
        return target.store(buffer)


def _read(source: LogStream, buffer: Buffer) -> None:
    """Read the log into the buffer; the kubelet waits while the buffer is full."""
    incomplete_reason = None
    try:
        for chunk in source.chunks():
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
