"""LogCollector: stores the complete logs of pods in the API."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Semaphore

import msgspec

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import stream, uploader
from sparktest.controller.logs.collection import Connections, LogCollection, Target
from sparktest.controller.logs.loop import LogLoop, Task
from sparktest.controller.testruns import Key
from sparktest.domain import Run
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import ContainerKind, LogSource, PodView

log = logging.getLogger(__name__)

# The other containers of a pod are read for this long after the log of its test has ended.
OTHERS_SECONDS = 3.0
# The threads that read and store all logs, how many of them may wait for the API at once, and how
# many for kubelets that have not answered before.
THREADS = 20
APPENDS = 10
RETRIES = 4


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many logs are collected at once.

    Attributes:
        followers: logs of running containers.
        others: how many of these may be logs of other containers than those of tests.
        fetchers: logs of the containers of ended tests, and as many of other containers.
    """

    followers: int = 500
    others: int = 200
    fetchers: int = 8


class _Log(msgspec.Struct, eq=False):
    """The log of a container, and what became of it.

    Attributes:
        is_test: the container is that of the test.
        ended: the container had ended before it was read, or is an init container, which ends
            before the test starts.
        followed: it is read while its container runs.
        task: None before it is read.
        done: None until its end.
    """

    key: Key
    collection: LogCollection
    is_test: bool
    ended: bool
    followed: bool = False
    task: Task | None = None
    done: CollectedLog | None = None


class LogCollector:
    """Collects logs in a few threads; any thread may call its methods.

    Args:
        source: returns what is known of the container with this namespace, pod and name.
        on_key: called in such a thread with a key of which a log is done.
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
        self._connections = Connections(
            cluster,
            client,
            source,
            Semaphore(APPENDS),
            Semaphore(RETRIES),
            stream_timings,
            upload_backoff,
        )
        self._on_key = on_key
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._loop = LogLoop(THREADS)
        self._logs: dict[Key, dict[str, _Log]] = {}
        # Each by whether the container is that of a test.
        self._followed = {True: 0, False: 0}
        self._fetched = {True: 0, False: 0}
        self._to_fetch: dict[bool, deque[_Log]] = {True: deque(), False: deque()}
        # Running containers without a follower, the longest waiting first.
        self._waiting: dict[tuple[Key, str], _Log] = {}
        self._stopping = False

    @property
    def followed(self) -> int:
        """The number of running containers whose logs are read."""
        with self._lock:
            return sum(self._followed.values())

    def collect(self, key: Key, run: Run, pod: PodView, container: str) -> bool:
        """Start to collect the log of a container, unless it is being collected or done already.

        Returns False after `stop`, and if too many running containers are followed: it is followed
        as soon as one of them has ended.
        """
        is_test, ended = container == run.containers[0], pod.has_ended(container)
        at = (key, container)
        with self._lock:
            if container in self._logs.get(key, {}):
                return True
            if self._stopping:
                return False
            # What still runs after the test will not go on for long.
            follow = not ended and not pod.is_terminal
            if not follow or at not in self._waiting:
                target = Target(key[0], run.id, pod.name, container)
                is_init = pod.containers[container].kind is ContainerKind.INIT
                collection = LogCollection(target, self._connections)
                self._waiting[at] = _Log(key, collection, is_test, ended or is_init)
            if follow and not self._has_free_follower(is_test):
                return False
            found = self._waiting.pop(at)
            self._logs.setdefault(key, {})[container] = found
            if follow:
                self._follow(found)
            else:
                self._to_fetch[is_test].append(found)
                self._fetch_next(is_test)
        return True

    def in_progress(self, key: Key) -> frozenset[str]:
        """Return the containers whose logs are being collected, or wait to be fetched."""
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
                    if each.followed and not each.ended and each.done is None:
                        each.collection.end_within(OTHERS_SECONDS)
                        self._wake(each)

    def forget(self, key: Key) -> None:
        """Drop the state of the logs that are done."""
        with self._lock:
            self._stop_waiting(key)
            found = self._logs.pop(key, {})
            if rest := {name: each for name, each in found.items() if each.done is None}:
                self._logs[key] = rest

    def discard(self, key: Key) -> None:
        """Stop all logs and drop their state, so that they are collected again from their start."""
        with self._lock:
            self._stop_waiting(key)
            for each in self._logs.pop(key, {}).values():
                each.collection.stop()
                self._wake(each)

    def stop(self) -> None:
        """Start no more logs and stop the others; the next controller resumes them."""
        with self._lock:
            self._stopping = True
            self._waiting.clear()
            for logs in self._logs.values():
                for each in logs.values():
                    each.collection.stop()
        self._loop.stop()

    def _wake(self, found: _Log) -> None:
        if found.task is not None:
            self._loop.wake(found.task)

    def _stop_waiting(self, key: Key) -> None:
        for at in [at for at in self._waiting if at[0] == key]:
            del self._waiting[at]

    def _has_free_follower(self, is_test: bool) -> bool:
        if sum(self._followed.values()) >= self._limits.followers:
            return False
        return is_test or self._followed[False] < self._limits.others

    def _follow(self, found: _Log) -> None:
        found.followed = True
        self._followed[found.is_test] += 1
        self._start(found)

    def _follow_waiting(self) -> None:
        """Follow containers that wait, those of tests first, as far as followers are free."""
        # `sorted` keeps the order of those that are alike.
        for at in sorted(self._waiting, key=lambda at: not self._waiting[at].is_test):
            if self._has_free_follower(self._waiting[at].is_test):
                found = self._logs.setdefault(at[0], {})[at[1]] = self._waiting.pop(at)
                self._follow(found)

    def _fetch_next(self, is_test: bool) -> None:
        while self._to_fetch[is_test] and self._fetched[is_test] < self._limits.fetchers:
            found = self._to_fetch[is_test].popleft()
            self._fetched[is_test] += 1
            if not found.ended:
                found.collection.end_within(OTHERS_SECONDS)
            self._start(found)

    def _start(self, found: _Log) -> None:
        found.task = self._loop.start(found.collection.steps(), partial(self._ended, found))

    # --- in the threads of the loop --------------------------------------------------------------

    def _ended(self, found: _Log, done: CollectedLog | None) -> None:
        with self._lock:
            if found.followed:
                self._followed[found.is_test] -= 1
            else:
                self._fetched[found.is_test] -= 1
            if not self._stopping:
                self._follow_waiting()
                self._fetch_next(found.is_test)
            if done is None or found.collection.is_stopped:
                return
            found.done = done
        if found.is_test:
            self.end_others(found.key)
        self._on_key(found.key)
