"""Views and logs as the controller has them, in slow motion: nothing comes until it is told to."""

from collections.abc import Callable
from typing import Any

from sparktest.controller import testruns
from sparktest.controller.caches import ClusterState
from sparktest.controller.logs.stream import PodState
from sparktest.controller.testruns import Key
from sparktest.domain import Log, LogState
from sparktest.kube import pods as pod_status
from sparktest.kube.cluster import JOBS, PODS, TESTRUNS, Resource
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_kubernetes import job_of

Object = dict[str, Any]


class LaggingCaches:
    """Views whose watch delivers nothing until it is told to, each kind in its own time."""

    def __init__(self, cluster: FakeCluster, on_key: Callable[[Key], None]) -> None:
        self._cluster = cluster
        self._on_key = on_key
        self._cache: dict[tuple[Resource, str, str], Object] = {}
        self._read_to = dict.fromkeys((TESTRUNS, JOBS, PODS), 0)
        for key, obj in cluster.objects.items():
            self._cache[key] = obj
        for resource in self._read_to:
            self._read_to[resource] = len(cluster.changed)
        for resource, namespace, name in list(self._cache):
            self._tell(resource, self._cache[resource, namespace, name])

    def deliver(self, resource: Resource) -> None:
        """Bring this kind up to date."""
        for kind, namespace, name, obj in self._cluster.changed[self._read_to[resource] :]:
            if kind != resource:
                continue
            key = (kind, namespace, name)
            old = self._cache.get(key)
            if obj is None:
                self._cache.pop(key, None)
                if old is not None:
                    self._tell(resource, old)
            elif old is None or _version(obj) > _version(old):
                self._cache[key] = obj
                self._tell(resource, obj)
        self._read_to[resource] = len(self._cluster.changed)

    def seen(self, key: Key) -> ClusterState:
        namespace, name = key
        testrun = next(
            (
                obj
                for at, obj in self._cache.items()
                if at[0] == TESTRUNS and testruns.key_of(obj) == key
            ),
            None,
        )
        pods = [obj for at, obj in self._cache.items() if at[0] == PODS and job_of(obj) == name]
        return ClusterState(testrun, self._cache.get((JOBS, namespace, name)), pods)

    def read(self, key: Key, testrun_name: str | None) -> ClusterState:
        objects = self._cluster.objects
        testrun = objects.get((TESTRUNS, key[0], testrun_name or ""))
        if testrun is not None and testruns.key_of(testrun) != key:
            testrun = None
        return ClusterState(testrun, objects.get((JOBS, *key)), self.read_pods(key))

    def read_pods(self, key: Key) -> list[Object]:
        return [pod for pod in self._cluster.all(PODS) if job_of(pod) == key[1]]

    def put(self, resource: Resource, obj: Object) -> None:
        key = (resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        old = self._cache.get(key)
        if old is None or _version(obj) > _version(old):
            self._cache[key] = obj

    def jobs(self) -> list[Object]:
        return [obj for at, obj in self._cache.items() if at[0] == JOBS]

    def pod_state(self, namespace: str, name: str) -> PodState:
        return PodState.GONE

    def _tell(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        if resource == TESTRUNS:
            self._on_key(testruns.key_of(obj))
        elif resource == JOBS:
            self._on_key((metadata["namespace"], metadata["name"]))
        elif resource == PODS and job_of(obj):
            self._on_key((metadata["namespace"], job_of(obj)))


class PromptLogCollector:
    """Stores a log in the moment its pod has ended or gone; forgets when the process dies.

    While `hold` is true no log is stored.
    """

    def __init__(self, cluster: FakeCluster, on_done: Callable[[Key], None]) -> None:
        self.hold = False
        self._cluster = cluster
        self._on_done = on_done
        self._pods: dict[Key, str] = {}
        self._logs: dict[Key, Log] = {}

    def follow(self, key: Key, run_id: str, pod: Object) -> bool:
        if key not in self._logs:
            self._pods[key] = pod["metadata"]["name"]
        return True

    def following(self, key: Key) -> bool:
        return key in self._pods

    def log(self, key: Key) -> Log | None:
        return self._logs.get(key)

    def forget(self, key: Key) -> None:
        self._logs.pop(key, None)

    def read(self) -> None:
        """Have the logs of all pods that have ended stored."""
        for key, name in [] if self.hold else list(self._pods.items()):
            pod = self._cluster.objects.get((PODS, key[0], name))
            if pod is None or pod_status.terminal(pod):
                del self._pods[key]
                state = LogState.COMPLETE if pod is not None else LogState.PARTIAL
                self._logs[key] = Log(state=state, bytes=5)
                self._on_done(key)


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
