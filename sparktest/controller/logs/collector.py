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
from sparktest.controller.logs.tail import LogTail
from sparktest.controller.logs.uploader import LogUploader, RestoredError, StoppedError
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState, Run
from sparktest.errors import GoneError, NotFoundError
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import ContainerKind, LogSource, PodView

log = logging.getLogger(__name__)

# How often the reading thread checks for a rotated log while the buffer is full.
FULL_BUFFER_SECONDS = 1.0
# The other containers of a pod are read for this long after the log of its test has ended.
OTHERS_SECONDS = 3.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many logs are collected at once.

    Attributes:
        followers: logs of running containers.
        others: how many of these may be logs of other containers than those of tests.
        fetchers: logs of the containers of ended tests, and as many of other containers.
    """

    followers: int = 64
    others: int = 24
    fetchers: int = 8


class _Collection(msgspec.Struct):
    """The log of a container while it is collected.

    Attributes:
        is_test: the container is that of the test.
        followed: it is read while the test runs.
        ended: the container had ended before it was read, or is an init container, which ends
            before the test starts.
        done: None until its end.
    """

    is_test: bool
    followed: bool
    ended: bool
    buffer: Buffer
    done: CollectedLog | None = None


class LogCollector:
    """Collects logs in threads, two for each log; any thread may call its methods.

    Args:
        source: returns what is known of the container with this namespace, pod and name.
        on_key: called in such a thread with a key of which a log is done or can be followed now.
    """

    def __init__(
        self,
        cluster: Cluster,
        client: ApiClient,
        *,
        source: Callable[[str, str, str], LogSource],
        on_key: Callable[[Key], None],
        limits: Limits | None = None,
        stream_timings: stream.Timings | None = None,
        upload_backoff: Backoff = uploader.BACKOFF,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._source = source
        self._on_key = on_key
        self._limits = limits or Limits()
        self._stream_timings = stream_timings
        self._upload_backoff = upload_backoff
        self._lock = threading.Lock()
        self._logs: dict[Key, dict[str, _Collection]] = {}
        self._followed_tests = 0
        self._followed_others = 0
        # Running containers that found no free follower, the longest waiting first; True for the
        # container of a test.
        self._waiting: dict[tuple[Key, str], bool] = {}
        self._stopping = threading.Event()
        # By whether the container is that of a test.
        self._fetchers = {
            is_test: ThreadPoolExecutor(self._limits.fetchers, "log-fetch")
            for is_test in (True, False)
        }

    def collect(self, key: Key, run: Run, pod: PodView, container: str) -> bool:
        """Start to collect the log of a container, unless it is being collected or done already.

        Returns False if too many running containers are followed, and after `stop`.
        """
        is_test, ended = container == run.containers[0], pod.has_ended(container)
        with self._lock:
            if container in self._logs.get(key, {}):
                return True
            if self._stopping.is_set():
                return False
            # What still runs after the test will not go on for long.
            follow = not ended and not pod.is_terminal
            if follow and not self._has_free_follower(is_test):
                self._waiting[key, container] = is_test
                return False
            self._waiting.pop((key, container), None)
            is_init = pod.containers[container].kind is ContainerKind.INIT
            collection = _Collection(is_test, follow, ended or is_init, Buffer())
            self._logs.setdefault(key, {})[container] = collection
            self._count(is_test, follow)
        args = (key, run.id, pod.name, container, collection)
        if follow:
            thread = threading.Thread(target=self._follow, args=args, name="log-follow")
            thread.daemon = True
            thread.start()
        else:
            self._fetchers[is_test].submit(self._collect_in_thread, *args)
        return True

    def in_progress(self, key: Key) -> frozenset[str]:
        """Return the containers whose logs are being collected, or wait for a free thread."""
        with self._lock:
            found = self._logs.get(key, {}).items()
            return frozenset(name for name, each in found if each.done is None)

    def logs(self, key: Key) -> dict[str, CollectedLog]:
        """Return the logs that are done, by container."""
        with self._lock:
            found = self._logs.get(key, {}).items()
            return {name: each.done for name, each in found if each.done is not None}

    def end_others(self, key: Key) -> None:
        """Let the logs of a run that has ended end soon, unless that of its test is still read."""
        with self._lock:
            found = self._logs.get(key, {}).values()
            if not any(each.is_test and each.done is None for each in found):
                for each in found:
                    if each.followed and not each.ended:
                        each.buffer.end_within(OTHERS_SECONDS)

    def forget(self, key: Key) -> None:
        """Drop the state of the logs that are done."""
        with self._lock:
            self._waiting = {at: test for at, test in self._waiting.items() if at[0] != key}
            found = self._logs.pop(key, {})
            if rest := {name: each for name, each in found.items() if each.done is None}:
                self._logs[key] = rest

    def discard(self, key: Key) -> None:
        """Drop the state of all logs, so that they are collected again from their start."""
        with self._lock:
            self._waiting = {at: test for at, test in self._waiting.items() if at[0] != key}
            self._logs.pop(key, None)

    def stop(self) -> None:
        """Start no more logs and stop the others; the next controller resumes them."""
        self._stopping.set()
        for fetchers in self._fetchers.values():
            fetchers.shutdown(wait=False, cancel_futures=True)

    def _has_free_follower(self, is_test: bool) -> bool:
        if self._followed_tests + self._followed_others >= self._limits.followers:
            return False
        return is_test or self._followed_others < self._limits.others

    def _count(self, is_test: bool, change: int) -> None:
        if is_test:
            self._followed_tests += change
        else:
            self._followed_others += change

    # --- in the threads of a log -----------------------------------------------------------------

    def _follow(
        self, key: Key, run_id: str, pod: str, container: str, collection: _Collection
    ) -> None:
        try:
            self._collect_in_thread(key, run_id, pod, container, collection)
        finally:
            with self._lock:
                self._count(collection.is_test, -1)
                waiting = self._next_waiting()
            if waiting and not self._stopping.is_set():
                self._on_key(waiting)

    def _next_waiting(self) -> Key | None:
        """Remove the container that may be followed next; return its key."""
        # `sorted` keeps the order of those that are alike.
        for at in sorted(self._waiting, key=lambda at: not self._waiting[at]):
            if self._has_free_follower(self._waiting[at]):
                del self._waiting[at]
                return at[0]
        return None

    def _collect_in_thread(
        self, key: Key, run_id: str, pod: str, container: str, collection: _Collection
    ) -> None:
        if not (collection.followed or collection.ended):
            collection.buffer.end_within(OTHERS_SECONDS)
        try:
            done = self._store(key[0], run_id, pod, container, collection)
        except StoppedError:
            return
        except (GoneError, NotFoundError):
            done = CollectedLog(Log(state=LogState.NONE, reason="RunDeleted"))
        except Exception as error:
            log.exception("log not stored run_id=%s pod=%s container=%s", run_id, pod, container)
            done = CollectedLog(Log(state=LogState.PARTIAL, reason=type(error).__name__))
        if self._stopping.is_set():
            return
        with self._lock:
            collection.done = done
        log.info(
            "log stored run_id=%s container=%s state=%s bytes=%d",
            run_id,
            container,
            done.log.state.value,
            done.log.bytes,
        )
        if collection.is_test:
            self.end_others(key)
        self._on_key(key)

    def _store(
        self, namespace: str, run_id: str, pod: str, container: str, collection: _Collection
    ) -> CollectedLog:
        failures = 0
        while True:
            try:
                return self._store_once(namespace, run_id, pod, container, collection.buffer)
            except RestoredError:
                log.warning("log is stored again run_id=%s container=%s", run_id, container)
            if self._stopping.wait(self._upload_backoff.delay(failures)):
                raise StoppedError
            with self._lock:
                ends_soon, collection.buffer = collection.buffer.ends_soon, Buffer()
                if ends_soon:
                    collection.buffer.end_within(OTHERS_SECONDS)
            failures += 1

    def _store_once(
        self, namespace: str, run_id: str, pod: str, container: str, buffer: Buffer
    ) -> CollectedLog:
        source = LogStream(
            self._cluster,
            namespace,
            pod,
            container,
            stopping=self._stopping,
            timings=self._stream_timings,
            source=lambda: self._source(namespace, pod, container),
        )
        target = LogUploader(
            self._client, run_id, container, stopping=self._stopping, backoff=self._upload_backoff
        )
        tail = LogTail()
        threading.Thread(
            target=_read, args=(source, buffer, tail), name="log-read", daemon=True
        ).start()
        stored = target.store(buffer)
        whole = tail.whole_text if stored.state is LogState.COMPLETE else None
        return CollectedLog(stored, tail.last_line, whole)


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
