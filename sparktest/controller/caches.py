"""Caches: TestRuns, Jobs and pods as last seen, by the key of their run."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from sparktest.controller.health import Heartbeat
from sparktest.controller.informer import STOP_SECONDS, Informer
from sparktest.controller.testruns import Key, TestRunView, parse_cached_testrun, parse_testrun
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.fields import Object, mapping, text
from sparktest.kube.jobs import SELECTOR
from sparktest.kube.outcome import lost_deadline
from sparktest.kube.pod_view import LogSource, PodState, PodView, parse_pod
from sparktest.kube.resources import JOBS, PODS, TESTRUNS, Resource
from sparktest.kube.views import JobView, parse_job

T = TypeVar("T")
# Informers by namespace; None stands for all namespaces.
Informers = dict[str | None, Informer[T]]


class ClusterState(NamedTuple):
    """The objects of a run in the cluster: its TestRun, its Job and the Job's pods."""

    testrun: TestRunView | None
    job: JobView | None
    pods: list[PodView]


class Caches:
    """Caches of the three kinds, kept up to date by informers; threads may share it.

    Args:
        namespaces: the namespaces to watch; empty means all.
        on_key: called with the key of a run when one of its objects has changed.
    """

    def __init__(
        self, cluster: Cluster, namespaces: Iterable[str], on_key: Callable[[Key], None]
    ) -> None:
        self._cluster = cluster
        self._on_key = on_key
        self._lock = threading.Lock()
        self._testrun_names: dict[Key, str] = {}
        self._pod_names: dict[Key, set[str]] = {}
        # Pods deleted during their test, kept as long as their Job: exit code 0 completes it.
        self._deleted_pods: dict[Key, PodView] = {}
        # When the deletion of a pod was requested, as first seen, by uid: the kubelet's own delete
        # at the end of the grace period moves the deletionTimestamp to the time of that delete.
        self._deletions: dict[str | None, datetime] = {}
        scopes: list[str | None] = list(namespaces) or [None]

        def informers(
            resource: Resource, parse: Callable[[Object], T], on_change: Callable[[T], None]
        ) -> Informers[T]:
            selector = None if resource == TESTRUNS else SELECTOR
            return {
                scope: Informer(
                    cluster,
                    resource,
                    parse=parse,
                    namespace=scope,
                    label_selector=selector,
                    on_change=on_change,
                )
                for scope in scopes
            }

        self._testruns = informers(TESTRUNS, parse_cached_testrun, self._testrun_changed)
        self._jobs = informers(JOBS, parse_job, self._job_changed)
        self._pods = informers(PODS, parse_pod, self._pod_changed)
        self._by_resource: dict[Resource, Informers[Any]] = {
            TESTRUNS: self._testruns,
            JOBS: self._jobs,
            PODS: self._pods,
        }

    def start(self) -> None:
        """Start the informers."""
        for informer in self._informers():
            informer.start()

    def stop(self) -> None:
        """Stop the informers; wait for all of them together as long as for one."""
        for informer in self._informers():
            informer.stop(0.0)
        deadline = time.monotonic() + STOP_SECONDS
        for informer in self._informers():
            informer.stop(max(0.0, deadline - time.monotonic()))

    def synced(self, timeout_seconds: float) -> bool:
        """Wait until every kind is listed; return False on a timeout."""
        deadline = time.monotonic() + timeout_seconds
        return all(
            informer.synced.wait(max(0.0, deadline - time.monotonic()))
            for informer in self._informers()
        )

    def problems(self) -> list[str]:
        """Return the current errors of the informers, without duplicates."""
        return sorted({informer.problem for informer in self._informers() if informer.problem})

    def heartbeats(self) -> list[Heartbeat]:
        """Return the heartbeats of the informers."""
        return [informer.heartbeat for informer in self._informers()]

    def unsynced(self) -> list[str]:
        """Return that the first lists are not complete, and why; [] once they are."""
        return [] if self.synced(0.0) else ["the caches have not synced", *self.problems()]

    def get(self, key: Key) -> ClusterState:
        """Return the objects of the run as last seen."""
        namespace, name = key
        with self._lock:
            pods = [self._deleted_pods.get(key)]
            pods += [_get(self._pods, namespace, pod) for pod in self._pod_names.get(key, ())]
        return ClusterState(
            self._testrun(key),
            _get(self._jobs, namespace, name),
            [self._with_first_deletion(pod) for pod in pods if pod is not None],
        )

    def finished(self) -> set[Key]:
        """Return the keys of all TestRuns and Jobs that have finished, as last seen."""
        jobs = (job for informer in self._jobs.values() for job in informer.items())
        testruns = (one for informer in self._testruns.values() for one in informer.items())
        return {(job.namespace, job.name) for job in jobs if job.is_finished} | {
            testrun.key for testrun in testruns if testrun.status_is_final
        }

    def keys(self) -> set[Key]:
        """Return the keys of all TestRuns and Jobs as last seen."""
        jobs = (job for informer in self._jobs.values() for job in informer.items())
        testruns = (one for informer in self._testruns.values() for one in informer.items())
        return {(job.namespace, job.name) for job in jobs} | {one.key for one in testruns}

    def log_source(self, namespace: str, name: str, container: str) -> LogSource:
        """Return what is known of a container of the pod; read the pod live if it is not cached."""
        try:
            pod = _get(self._pods, namespace, name)
            if pod is None:
                live = self._read(PODS, namespace, name)
                pod = parse_pod(live) if live else None
        except SparkTestError:
            # An error does not prove that the pod is gone.
            return LogSource(PodState.RUNNING)
        if pod is None:
            return LogSource(PodState.GONE)
        lost_at = lost_deadline(pod)
        ended = pod.has_ended(container) or (lost_at and lost_at <= datetime.now(UTC))
        found = pod.containers.get(container)
        state = PodState.ENDED if ended else PodState.RUNNING
        return LogSource(state, found.restarts if found else None)

    def read_live(self, key: Key, testrun_name: str | None) -> ClusterState:
        """Read the objects of the run from the cluster.

        The Job is read before its pods: a pod ends before its Job does.
        """
        namespace, name = key
        found = self._read(TESTRUNS, namespace, testrun_name) if testrun_name else None
        testrun = parse_testrun(found) if found else None
        if testrun is not None and testrun.key != key:
            testrun = None
        job = self._read(JOBS, namespace, name)
        return ClusterState(testrun, parse_job(job) if job else None, self.read_pods(key))

    def read_pods(self, key: Key) -> list[PodView]:
        """Read the pods of the run from the cluster."""
        # The label without the prefix exists in every version of Kubernetes.
        listing = self._cluster.list(PODS, key[0], label_selector=f"job-name={key[1]}")
        return [self._with_first_deletion(parse_pod(pod)) for pod in listing.items]

    def put(self, resource: Resource, obj: Object) -> None:
        """Cache the object that a write returned."""
        namespace = text(mapping(obj, "metadata"), "namespace")
        informer = _informer(self._by_resource[resource], namespace)
        if informer is not None:
            informer.put(obj)

    def _with_first_deletion(self, pod: PodView) -> PodView:
        first, latest = self._deletions.get(pod.uid), pod.deletion_requested_at
        if first is None or latest is None or latest <= first:
            return pod
        return msgspec.structs.replace(pod, deletion_requested_at=first)

    def _informers(self) -> list[Informer[Any]]:
        return [one for informers in self._by_resource.values() for one in informers.values()]

    def _testrun(self, key: Key) -> TestRunView | None:
        name = self._testrun_names.get(key)
        found = _get(self._testruns, key[0], name) if name else None
        if found is None or found.key != key:
            # Deleted, or replaced by another TestRun of the same name.
            self._testrun_names.pop(key, None)
            return None
        return found

    def _read(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            return self._cluster.get(resource, namespace, name)
        except NotFoundError:
            return None

    def _testrun_changed(self, testrun: TestRunView) -> None:
        self._testrun_names[testrun.key] = testrun.name
        self._on_key(testrun.key)

    def _job_changed(self, job: JobView) -> None:
        key = (job.namespace, job.name)
        if _get(self._jobs, key[0], key[1]) is None:
            with self._lock:
                self._deleted_pods.pop(key, None)
        self._on_key(key)

    def _pod_changed(self, pod: PodView) -> None:
        if not pod.job_name:
            return
        key = (pod.namespace, pod.job_name)
        if pod.deletion_requested_at:
            self._deletions.setdefault(pod.uid, pod.deletion_requested_at)
        with self._lock:
            names = self._pod_names.setdefault(key, set())
            if _get(self._pods, pod.namespace, pod.name) is None:
                names.discard(pod.name)
                if pod.is_terminal and pod.is_deleting and _get(self._jobs, *key) is not None:
                    self._deleted_pods[key] = self._with_first_deletion(pod)
                self._deletions.pop(pod.uid, None)
            else:
                names.add(pod.name)
            if not names:
                del self._pod_names[key]
        self._on_key(key)


def _informer(informers: Informers[T], namespace: str) -> Informer[T] | None:
    return informers.get(namespace) or informers.get(None)


def _get(informers: Informers[T], namespace: str, name: str) -> T | None:
    informer = _informer(informers, namespace)
    return informer.get(namespace, name) if informer else None
