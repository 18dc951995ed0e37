"""Fakes of the controller's caches and log collector that progress only on request of a test."""

from collections.abc import Callable
from typing import Any

from sparktest.controller.caches import ClusterState
from sparktest.controller.testruns import Key, parse_cached_testrun, parse_testrun
from sparktest.domain import Log, LogState, Run
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import LogSource, PodState, PodView, parse_pod
from sparktest.kube.resources import JOBS, PODS, TESTRUNS, Resource
from sparktest.kube.views import parse_job
from tests.controller.fake_api import FakeApi
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_kubernetes import job_of

Object = dict[str, Any]


class LaggingCaches:
    """Caches whose watches deliver nothing until `deliver`, each kind by itself."""

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
            self._notify(resource, self._cache[resource, namespace, name])

    def deliver(self, resource: Resource) -> None:
        """Deliver the events of this kind."""
        for kind, namespace, name, obj in self._cluster.changed[self._read_to[resource] :]:
            if kind != resource:
                continue
            key = (kind, namespace, name)
            old = self._cache.get(key)
            if obj is None:
                self._cache.pop(key, None)
                if old is not None:
                    self._notify(resource, old)
            elif old is None or _version(obj) > _version(old):
                self._cache[key] = obj
                self._notify(resource, obj)
        self._read_to[resource] = len(self._cluster.changed)

    def get(self, key: Key) -> ClusterState:
        namespace, name = key
        testruns = (
            parse_cached_testrun(obj) for at, obj in self._cache.items() if at[0] == TESTRUNS
        )
        pods = [obj for at, obj in self._cache.items() if at[0] == PODS and job_of(obj) == name]
        job = self._cache.get((JOBS, namespace, name))
        return ClusterState(
            next((testrun for testrun in testruns if testrun.key == key), None),
            parse_job(job) if job else None,
            [parse_pod(pod) for pod in pods],
        )

    def read_live(self, key: Key, testrun_name: str | None) -> ClusterState:
        objects = self._cluster.objects
        found = objects.get((TESTRUNS, key[0], testrun_name or ""))
        testrun = parse_testrun(found) if found else None
        job = objects.get((JOBS, *key))
        return ClusterState(
            testrun if testrun and testrun.key == key else None,
            parse_job(job) if job else None,
            self.read_pods(key),
        )

    def read_pods(self, key: Key) -> list[PodView]:
        return [parse_pod(pod) for pod in self._cluster.all(PODS) if job_of(pod) == key[1]]

    def put(self, resource: Resource, obj: Object) -> None:
        key = (resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        old = self._cache.get(key)
        if old is None or _version(obj) > _version(old):
            self._cache[key] = obj

    def finished(self) -> set[Key]:
        testruns = [parse_testrun(obj) for at, obj in self._cache.items() if at[0] == TESTRUNS]
        jobs = [parse_job(obj) for at, obj in self._cache.items() if at[0] == JOBS]
        return {(job.namespace, job.name) for job in jobs if job.is_finished} | {
            testrun.key for testrun in testruns if testrun.status_is_final
        }

    def log_source(self, namespace: str, name: str, container: str) -> LogSource:
        return LogSource(PodState.GONE)

    def _notify(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        if resource == TESTRUNS:
            self._on_key(parse_testrun(obj).key)
        elif resource == JOBS:
            self._on_key((metadata["namespace"], metadata["name"]))
        elif resource == PODS and job_of(obj):
            self._on_key((metadata["namespace"], job_of(obj)))


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


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
