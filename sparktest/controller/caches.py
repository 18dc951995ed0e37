"""Views: TestRuns, Jobs and pods as last seen, found by the key of their run."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sparktest.controller import testruns
from sparktest.controller.informer import Informer, strip_noise
from sparktest.controller.logs.stream import PodState
from sparktest.controller.testruns import Key
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube import pods as pod_status
from sparktest.kube.cluster import JOBS, PODS, TESTRUNS, Cluster, Resource
from sparktest.kube.jobs import SELECTOR
from sparktest.kube.pods import Object, section

POD_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "labels",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
)
POD_SPEC = ("nodeName", "activeDeadlineSeconds")
POD_STATUS = (
    "phase",
    "reason",
    "message",
    "conditions",
    "containerStatuses",
    "initContainerStatuses",
)
JOB_SPEC = ("suspend", "ttlSecondsAfterFinished")


class ClusterState(NamedTuple):
    """What the cluster has of a run."""

    testrun: Object | None
    job: Object | None
    pods: list[Object]


class Caches:
    """The three kinds of object, kept by informers; threads may share it.

    Args:
        namespaces: where to look; none means everywhere.
        on_key: called with the key of every run of which something changed.
    """

    def __init__(
        self, cluster: Cluster, namespaces: Iterable[str], on_key: Callable[[Key], None]
    ) -> None:
        self._cluster = cluster
        self._on_key = on_key
        self._lock = threading.Lock()
        self._testrun_names: dict[Key, str] = {}
        self._pod_names: dict[Key, set[str]] = {}
        scopes: list[str | None] = list(namespaces) or [None]

        def informers(resource: Resource, **options: Any) -> dict[str | None, Informer]:
            return {
                scope: Informer(cluster, resource, namespace=scope, **options) for scope in scopes
            }

        self._testruns = informers(TESTRUNS, on_change=self._testrun_changed)
        self._jobs = informers(
            JOBS, label_selector=SELECTOR, transform=strip_job, on_change=self._job_changed
        )
        self._pods = informers(
            PODS, label_selector=SELECTOR, transform=strip_pod, on_change=self._pod_changed
        )

    def start(self) -> None:
        """Begin to look."""
        for informer in self._informers():
            informer.start()

    def stop(self) -> None:
        """End the threads."""
        for informer in self._informers():
            informer.stop()

    def synced(self, timeout: float) -> bool:
        """Whether all that there is has been seen once, waiting for it so long (seconds)."""
        deadline = time.monotonic() + timeout
        return all(
            informer.synced.wait(max(0.0, deadline - time.monotonic()))
            for informer in self._informers()
        )

    def problems(self) -> list[str]:
        """What hinders the informers now."""
        return sorted({informer.problem for informer in self._informers() if informer.problem})

    def seen(self, key: Key) -> ClusterState:
        """What was last seen of the run."""
        namespace, name = key
        with self._lock:
            pod_names = list(self._pod_names.get(key, ()))
        pods = (self._of(self._pods, namespace, pod) for pod in pod_names)
        return ClusterState(
            self._testrun(key),
            self._of(self._jobs, namespace, name),
            [pod for pod in pods if pod is not None],
        )

    def jobs(self) -> list[Object]:
        """All Jobs of runs, as last seen."""
        return [job for informer in self._jobs.values() for job in informer.items()]

    def pod_state(self, namespace: str, name: str) -> PodState:
        """Where the pod was when last seen; one that was not seen is asked for."""
        try:
            pod = self._of(self._pods, namespace, name) or self._read(PODS, namespace, name)
        except SparkTestError:  # as long as nobody knows it is not gone
            return PodState.RUNNING
        if pod is None:
            return PodState.GONE
        return PodState.ENDED if pod_status.terminal(pod) else PodState.RUNNING

    def read(self, key: Key, testrun_name: str | None) -> ClusterState:
        """What is there of the run right now. The Job before its pods: those end first."""
        namespace, name = key
        testrun = self._read(TESTRUNS, namespace, testrun_name) if testrun_name else None
        if testrun is not None and testruns.key_of(testrun) != key:
            testrun = None
        return ClusterState(testrun, self._read(JOBS, namespace, name), self.read_pods(key))

    def read_pods(self, key: Key) -> list[Object]:
        """The pods that are there right now."""
        # The label without the prefix is there in every version of Kubernetes.
        listing = self._cluster.list(PODS, key[0], label_selector=f"job-name={key[1]}")
        return listing.items

    def put(self, resource: Resource, obj: Object) -> None:
        """Have seen what a write answered."""
        kinds = {TESTRUNS: self._testruns, JOBS: self._jobs, PODS: self._pods}
        informers = kinds[resource]
        namespace = section(obj, "metadata").get("namespace")
        informer = informers.get(namespace) or informers.get(None)
        if informer is not None:
            informer.put(obj)

    def _informers(self) -> list[Informer]:
        kinds = (self._testruns, self._jobs, self._pods)
        return [informer for informers in kinds for informer in informers.values()]

    def _of(
        self, informers: dict[str | None, Informer], namespace: str, name: str
    ) -> Object | None:
        informer = informers.get(namespace) or informers.get(None)
        return informer.get(namespace, name) if informer else None

    def _testrun(self, key: Key) -> Object | None:
        name = self._testrun_names.get(key)
        found = self._of(self._testruns, key[0], name) if name else None
        if found is None or testruns.key_of(found) != key:
            # Deleted, or another one has its name.
            self._testrun_names.pop(key, None)
            return None
        return found

    def _read(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return self._cluster.get(resource, namespace, name)
        except NotFoundError:
            return None

    def _testrun_changed(self, testrun: Object) -> None:
        key = testruns.key_of(testrun)
        self._testrun_names[key] = section(testrun, "metadata")["name"]
        self._on_key(key)

    def _job_changed(self, job: Object) -> None:
        metadata = section(job, "metadata")
        self._on_key((metadata["namespace"], metadata["name"]))

    def _pod_changed(self, pod: Object) -> None:
        metadata = section(pod, "metadata")
        namespace, name = metadata["namespace"], metadata["name"]
        job = (metadata.get("labels") or {}).get("job-name")
        if not job:
            return
        key = (namespace, job)
        with self._lock:
            names = self._pod_names.setdefault(key, set())
            if self._of(self._pods, namespace, name) is None:
                names.discard(name)
            else:
                names.add(name)
            if not names:
                del self._pod_names[key]
        self._on_key(key)


def strip_pod(pod: Object) -> Object:
    """The pod with what is read of it."""
    return _only(pod, POD_METADATA, POD_SPEC, POD_STATUS)


def strip_job(job: Object) -> Object:
    """The Job with what is read of it."""
    job = strip_noise(job)
    job["spec"] = {name: job["spec"][name] for name in JOB_SPEC if name in job.get("spec", {})}
    return job


def _only(
    obj: Object, metadata: Iterable[str], spec: Iterable[str], status: Iterable[str]
) -> Object:
    def pick(name: str, fields: Iterable[str]) -> Object:
        found = section(obj, name)
        return {field: found[field] for field in fields if field in found}

    return {
        "metadata": pick("metadata", metadata),
        "spec": pick("spec", spec),
        "status": pick("status", status),
    }
