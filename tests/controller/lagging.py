"""Fakes of the controller's caches and log collector that progress only on request of a test."""

import copy
from collections.abc import Callable
from typing import Any, cast

from sparktest.controller.caches import Caches
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState, Run
from sparktest.kube.cluster import Cluster
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import LogSource, PodState, PodView, parse_pod
from sparktest.kube.resources import PODS, Resource
from tests.controller.fake_api import FakeApi
from tests.controller.fake_cluster import FakeCluster

Object = dict[str, Any]


class LaggingCaches(Caches):
    """Caches whose watches deliver nothing until `deliver`, each kind by itself."""

    def __init__(self, cluster: FakeCluster, on_key: Callable[[Key], None]) -> None:
        super().__init__(cast("Cluster", cluster), (), on_key)
        self._fake = cluster
        # The newest version that was delivered.
        self._last: dict[tuple[Resource, str, str], Object] = {}
        self._read_to = {}
        for resource, informers in self._by_resource.items():
            self._read_to[resource] = len(cluster.changed)
            for informer in informers:
                informer._list()
        self._last = copy.deepcopy(cluster.objects)

    def deliver(self, resource: Resource) -> None:
        """Deliver the events of this kind."""
        (informer,) = self._by_resource[resource]
        for kind, namespace, name, obj in self._fake.changed[self._read_to[resource] :]:
            if kind != resource:
                continue
            key = (kind, namespace, name)
            if obj is None:
                informer._apply("DELETED", _deleted(self._last.pop(key)))
            else:
                self._last[key] = obj
                informer._apply("MODIFIED", copy.deepcopy(obj))
        self._read_to[resource] = len(self._fake.changed)

    def log_source(self, namespace: str, name: str, container: str) -> LogSource:
        return LogSource(PodState.GONE)


def _deleted(obj: Object) -> Object:
    version = int(obj["metadata"]["resourceVersion"]) + 1
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}


class PromptLogCollector:
    """A log collector that stores a log at once when its container has ended or its pod is gone.

    While `hold` is true no log is stored.
    """

    def __init__(self, cluster: FakeCluster, api: FakeApi, on_done: Callable[[Key], None]) -> None:
        self.hold = False
        self._cluster = cluster
        self._api = api
        self._on_done = on_done
        # By key and container: the id of the run and the name of the pod.
        self._pods: dict[tuple[Key, str], tuple[str, str]] = {}
        self._logs: dict[tuple[Key, str], CollectedLog] = {}
        self._ending: set[Key] = set()

    def collect(self, key: Key, run: Run, pod: PodView, container: str) -> bool:
        if (key, container) not in self._logs:
            self._pods[key, container] = (run.id, pod.name)
        return True

    def in_progress(self, key: Key) -> frozenset[str]:
        return frozenset(name for at, name in self._pods if at == key)

    def logs(self, key: Key) -> dict[str, CollectedLog]:
        return {name: found for (at, name), found in self._logs.items() if at == key}

    def end_others(self, key: Key) -> None:
        self._ending.add(key)

    def forget(self, key: Key) -> None:
        self._logs = {at: found for at, found in self._logs.items() if at[0] != key}
        self._ending.discard(key)

    def discard(self, key: Key) -> None:
        self._pods = {at: found for at, found in self._pods.items() if at[0] != key}
        self.forget(key)

    def read(self) -> None:
        """Store the logs of all containers that have ended."""
        for (key, container), (run_id, name) in [] if self.hold else list(self._pods.items()):
            found = self._cluster.objects.get((PODS, key[0], name))
            pod = parse_pod(found) if found else None
            cut = key in self._ending and container != "test"
            if pod is None or pod.has_ended(container) or cut:
                del self._pods[key, container]
                state = LogState.COMPLETE if pod else LogState.PARTIAL
                log = Log(state=state, bytes=5)
                self._logs[key, container] = CollectedLog(log, last_line=f"end of {container}")
                if pod:
                    self._api.logs[run_id, container] = b"line\n"
                self._on_done(key)
