"""Reporter: has the logs of pods stored, each from its beginning to its end."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from sparktest.client import ApiClient
from sparktest.controller import tail, upload
from sparktest.controller.buffer import Buffer
from sparktest.controller.tail import PodState, Tail
from sparktest.controller.testruns import Key
from sparktest.controller.upload import StoppedError, Upload
from sparktest.domain import Log, LogState
from sparktest.errors import GoneError, NotFoundError, SparkTestError
from sparktest.kube import pods as podstate
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import CONTAINER
from sparktest.kube.pods import Object

log = logging.getLogger(__name__)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many logs are followed while their tests run, and fetched after they ended, at once."""

    followers: int = 64
    fetchers: int = 8


class Reporter:
    """Stores logs, each in threads of its own; all methods may be called by any thread.

    A log that finds no free thread while its test runs is fetched after the end.

    Args:
        state: what is known of the pod of that namespace and name.
        on_done: called in one of those threads with the key whose log is done.
    """

    def __init__(
        self,
        cluster: Cluster,
        client: ApiClient,
        *,
        state: Callable[[str, str], PodState],
        on_done: Callable[[Key], None],
        limits: Limits | None = None,
        tail_pace: tail.Pace | None = None,
        upload_pace: upload.Pace | None = None,
    ) -> None:
        self._cluster = cluster
        self._client = client
        self._state = state
        self._on_done = on_done
        self._limits = limits or Limits()
        self._tail_pace = tail_pace
        self._upload_pace = upload_pace
        self._lock = threading.Lock()
        self._logs: dict[Key, Log | None] = {}
        self._live = 0
        self._stopping = threading.Event()
        self._fetchers = ThreadPoolExecutor(self._limits.fetchers, "log-fetch")

    def follow(self, key: Key, run_id: str, pod: Object) -> bool:
        """Whether the pod's log is being stored now, or as soon as others that ended are."""
        with self._lock:
            if key in self._logs:
                return True
            ended = podstate.terminal(pod)
            if self._stopping.is_set() or (not ended and self._live >= self._limits.followers):
                return False
            self._logs[key] = None
            self._live += not ended
        name = podstate.section(pod, "metadata")["name"]
        if ended:
            self._fetchers.submit(self._store, key, run_id, name)
        else:
            threading.Thread(
                target=self._store_live, args=(key, run_id, name), name="log-follow", daemon=True
            ).start()
        return True

    def following(self, key: Key) -> bool:
        """Whether the log is being stored."""
        with self._lock:
            return key in self._logs and self._logs[key] is None

    def log(self, key: Key) -> Log | None:
        """What is stored of the log, once that is done."""
        with self._lock:
            return self._logs.get(key)

    def forget(self, key: Key) -> None:
        """The run is over: its log is not asked for again."""
        with self._lock:
            if self._logs.get(key) is not None:
                del self._logs[key]

    def stop(self) -> None:
        """Begin no more; what is stored so far is where the next controller goes on."""
        self._stopping.set()
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    # --- in a thread of its own ------------------------------------------------------------------

    def _store_live(self, key: Key, run_id: str, pod: str) -> None:
        try:
            self._store(key, run_id, pod)
        finally:
            with self._lock:
                self._live -= 1

    def _store(self, key: Key, run_id: str, pod: str) -> None:
        try:
            done = self._stored(key[0], run_id, pod)
        except StoppedError:
            return
        except (GoneError, NotFoundError):
            done = Log(state=LogState.NONE, reason="RunDeleted")
        except Exception as error:
            log.exception("log failed run_id=%s pod=%s", run_id, pod)
            done = Log(state=LogState.PARTIAL, reason=type(error).__name__)
        if self._stopping.is_set():
            return
        with self._lock:
            self._logs[key] = done
        log.info("log stored run_id=%s state=%s bytes=%d", run_id, done.state.value, done.bytes)
        self._on_done(key)

    def _stored(self, namespace: str, run_id: str, pod: str) -> Log:
        source = Tail(
            self._cluster,
            namespace,
            pod,
            stopping=self._stopping,
            pace=self._tail_pace,
            state=lambda: self._state(namespace, pod),
        )
        target = Upload(
            self._client, run_id, CONTAINER, stopping=self._stopping, pace=self._upload_pace
        )
        buffer = Buffer()
        reader = threading.Thread(target=_pour, args=(source, buffer), name="log-read", daemon=True)
        reader.start()
        reason = None
        try:
            while chunk := buffer.take():
                target.append(chunk)
        except SparkTestError as error:
            if isinstance(error, GoneError | NotFoundError):
                raise
            log.warning("log refused run_id=%s error=%s", run_id, error.detail)
            reason = type(error).__name__.removesuffix("Error")
        finally:
            buffer.close()
        reason = (
            reason or buffer.failure or source.reason or ("LogRotated" if target.gaps else None)
        )
        if reason is None:
            return Log(state=LogState.COMPLETE, bytes=target.stored)
        state = LogState.PARTIAL if target.stored else LogState.NONE
        return Log(state=state, reason=reason, bytes=target.stored)


def _pour(source: Tail, buffer: Buffer) -> None:
    """Read the log into the buffer; a full buffer holds back the kubelet."""
    try:
        for chunk in source.chunks():
            if not buffer.put(chunk, while_full=source.look_ahead):
                return
    except Exception as error:
        log.exception("log could not be read")
        buffer.failure = type(error).__name__
    finally:
        buffer.end()
