"""LogCollector: stores the complete logs of pods in the API."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.controller.logs import stream, uploader
from sparktest.controller.logs.collection import Connections, LogCollection, Target
from sparktest.controller.testruns import Key
from sparktest.domain import Run
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import ContainerKind, LogSource, PodView

log = logging.getLogger(__name__)

# The other containers of a pod are read for this long after the log of its test has ended.
OTHERS_SECONDS = 3.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many logs are collected at once.

    Attributes:
        followers: logs of running containers.
        others: how many of these may be logs of other containers than those of tests.
        fetchers: logs of the containers of ended tests, and as many of other containers.
    """

    followers: int = 256
    others: int = 96
    fetchers: int = 8


class _Log(msgspec.Struct):
    """The log of a container, and what became of it.

    Attributes:
        is_test: the container is that of the test.
        ended: the container had ended before it was read, or is an init container, which ends
            before the test starts.
        followed: it is read while its container runs.
        done: None until its end.
    """

    key: Key
    collection: LogCollection
    is_test: bool
    ended: bool
    followed: bool = False
    done: CollectedLog | None = None


class LogCollector:
    """Collects logs in threads, two for each log; any thread may call its methods.

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
        self._connections = Connections(cluster, client, source, stream_timings, upload_backoff)
        self._on_key = on_key
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._logs: dict[Key, dict[str, _Log]] = {}
        # By whether the container is that of a test.
        self._followed = {True: 0, False: 0}
        # Running containers without a follower, the longest waiting first.
        self._waiting: dict[tuple[Key, str], _Log] = {}
        self._stopping = False
        self._fetchers = {
            is_test: ThreadPoolExecutor(self._limits.fetchers, "log-fetch")
            for is_test in (True, False)
        }

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
            self._begin(at, follow)
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
                        each.collection.end_within(OTHERS_SECONDS)

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

    def stop(self) -> None:
        """Start no more logs and stop the others; the next controller resumes them."""
        with self._lock:
            self._stopping = True
            self._waiting.clear()
            for logs in self._logs.values():
                for each in logs.values():
                    each.collection.stop()
        for fetchers in self._fetchers.values():
            fetchers.shutdown(wait=False, cancel_futures=True)

    def _stop_waiting(self, key: Key) -> None:
        for at in [at for at in self._waiting if at[0] == key]:
            del self._waiting[at]

    def _has_free_follower(self, is_test: bool) -> bool:
        if sum(self._followed.values()) >= self._limits.followers:
            return False
        return is_test or self._followed[False] < self._limits.others

    def _begin(self, at: tuple[Key, str], follow: bool) -> None:
        found = self._waiting[at]
        if follow:
            thread = threading.Thread(target=self._follow, args=(found,), name="log-follow")
            thread.daemon = True
            thread.start()
            self._followed[found.is_test] += 1
            found.followed = True
        else:
            self._fetchers[found.is_test].submit(self._fetch, found)
        del self._waiting[at]
        self._logs.setdefault(at[0], {})[at[1]] = found

    # --- in the threads of a log -----------------------------------------------------------------

    def _follow(self, found: _Log) -> None:
        try:
            self._collect(found)
        finally:
            with self._lock:
                self._followed[found.is_test] -= 1
                self._begin_waiting()

    def _begin_waiting(self) -> None:
        """Follow containers that wait, those of tests first, as far as followers are free."""
        # `sorted` keeps the order of those that are alike.
        for at in sorted(self._waiting, key=lambda at: not self._waiting[at].is_test):
            if self._has_free_follower(self._waiting[at].is_test):
                self._begin(at, follow=True)

    def _fetch(self, found: _Log) -> None:
        if not found.ended:
            found.collection.end_within(OTHERS_SECONDS)
        self._collect(found)

    def _collect(self, found: _Log) -> None:
        done = found.collection.collect()
        with self._lock:
            if done is None or found.collection.is_stopped:
                return
            found.done = done
        if found.is_test:
            self.end_others(found.key)
        self._on_key(found.key)
