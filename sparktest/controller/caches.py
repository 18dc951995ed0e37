"""Caches: TestRuns, Jobs and pods as last seen, by the key of their run."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from sparktest.controller.finished_runs import FinishedRuns
from sparktest.controller.health import Heartbeat
from sparktest.controller.informer import STOP_SECONDS, Informer
from sparktest.controller.informers import Informers
from sparktest.controller.testruns import Key, TestRunView, parse_cached_testrun, parse_testrun
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube.cluster import Cluster
from sparktest.kube.fields import Object, text
from sparktest.kube.jobs import SELECTOR
from sparktest.kube.outcome import lost_deadline
from sparktest.kube.pod_view import LogSource, PodState, PodView, parse_pod
from sparktest.kube.resources import JOBS, PODS, TESTRUNS, Resource
from sparktest.kube.views import JobView, parse_job


class ClusterState(NamedTuple):
    """The objects of a run in the cluster: its TestRun, its Job and the Job's pods."""

    testrun: TestRunView | None
    job: JobView | None
    pods: list[PodView]


class Caches:
    """Caches of the three kinds, kept up to date by informers; threads may share it.

    The objects of finished runs are not cached: `finished` has what is kept of them.

    Args:
        namespaces: the namespaces to watch; empty means all.
        on_key: called with the key of a run when one of its objects has changed.
    """

    def __init__(
        self, cluster: Cluster, namespaces: Iterable[str], on_key: Callable[[Key], None]
    ) -> None:
        self._cluster = cluster
        self._on_key = on_key
        self.finished = FinishedRuns()
        self._lock = threading.Lock()
        self._testrun_names: dict[Key, str] = {}
        self._pod_names: dict[Key, set[str]] = {}
        # Pods deleted during their test, kept as long as their Job: exit code 0 completes it.
        self._deleted_pods: dict[Key, PodView] = {}
        # When the deletion of a pod was requested, as first seen, by uid: the kubelet's own delete
        # at the end of the grace period moves the deletionTimestamp to the time of that delete.
        self._deletions: dict[str | None, datetime] = {}
        scopes: list[str | None] = list(namespaces) or [None]

        finished = self.finished
        self._testruns = Informers(
            cluster,
            TESTRUNS,
            scopes,
            parse=parse_cached_testrun,
            on_change=self._testrun_changed,
            skip=finished.testruns,
        )
        # In this order: a finished TestRun says which Jobs and pods are not needed.
        self._jobs = Informers(
            cluster,
            JOBS,
            scopes,
            parse=parse_job,
            label_selector=SELECTOR,
            on_change=self._job_changed,
            skip=finished.jobs,
            after=self._testruns,
        )
        self._pods = Informers(
            cluster,
            PODS,
            scopes,
            parse=parse_pod,
            label_selector=SELECTOR,
            on_change=self._pod_changed,
            skip=finished.pods,
            after=self._jobs,
        )
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
            pods += [self._pods.get(namespace, pod) for pod in self._pod_names.get(key, ())]
        return ClusterState(
            self._testrun(key),
            self._jobs.get(namespace, name),
            [self._with_first_deletion(pod) for pod in pods if pod is not None],
        )

    def finished_ids(self) -> dict[str, Key]:
        """Return the keys of all finished runs by their ids in the API."""
        ids = self.finished.ids()
        for testrun in self._testruns.items():
            if testrun.status_is_final:
                ids[text(testrun.status, "runId")] = testrun.key
        for job in self._jobs.items():
            if job.is_finished:
                ids.setdefault(job.run_id or "", (job.namespace, job.name))
        ids.pop("", None)
        return ids

    def compact(self, key: Key) -> None:
        """Keep no more than a few fields of this run, if its objects say that it has finished."""
        namespace, testrun = key[0], self._testrun(key)
        entry = self._testruns.entry(namespace, testrun.name) if testrun else None
        job = self._jobs.entry(*key)
        skips_testrun, skips_job = self.finished.skips_testrun, self.finished.skips_job
        if not (skips_testrun(entry) if entry else job and skips_job(job)):
            return
        # An object that has changed in the meantime stays, and its key has been reported.
        if entry is not None and self._testruns.discard(entry):
            self._testrun_names.pop(key, None)
        if job is not None:
            self._jobs.discard(job)
        with self._lock:
            self._deleted_pods.pop(key, None)
            pods = [self._pods.entry(namespace, pod) for pod in self._pod_names.pop(key, ())]
        for pod in pods:
            if pod is not None and self._pods.discard(pod):
                self._deletions.pop(pod.value.uid, None)

    def reload(self, key: Key) -> None:
        """Cache the objects of a finished run again, from the cluster.

        Raises:
            SparkTestError: they cannot be read.
        """
        if (run := self.finished.get(key)) is None:
            return
        # First, so that the events of its objects are handled from now on.
        self.finished.remove(key)
        try:
            testrun = self._read(TESTRUNS, key[0], run.testrun) if run.testrun else None
            job = self._read(JOBS, *key)
            pods = self._list_pods(key)
        except SparkTestError:
            self.finished.add(key, run)
            raise
        if testrun is not None and parse_testrun(testrun).key == key:
            self._testruns.restore(testrun)
            self._testrun_names[key] = run.testrun
        if job is not None:
            self._jobs.restore(job)
        for pod in pods:
            if (view := self._pods.restore(pod)) is not None:
                with self._lock:
                    self._pod_names.setdefault(key, set()).add(view.name)

    def keys(self) -> set[Key]:
        """Return the keys of all TestRuns and Jobs as last seen."""
        jobs = {(job.namespace, job.name) for job in self._jobs.items()}
        return jobs | {testrun.key for testrun in self._testruns.items()}

    def log_source(self, namespace: str, name: str, container: str) -> LogSource:
        """Return what is known of a container of the pod; read the pod live if it is not cached."""
        try:
            pod = self._pods.get(namespace, name)
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
        return [self._with_first_deletion(parse_pod(pod)) for pod in self._list_pods(key)]

    def put(self, resource: Resource, obj: Object) -> None:
        """Cache the object that a write returned."""
        self._by_resource[resource].put(obj)

    def _with_first_deletion(self, pod: PodView) -> PodView:
        first, latest = self._deletions.get(pod.uid), pod.deletion_requested_at
        if first is None or latest is None or latest <= first:
            return pod
        return msgspec.structs.replace(pod, deletion_requested_at=first)

    def _informers(self) -> list[Informer[Any]]:
        return [one for informers in self._by_resource.values() for one in informers]

    def _testrun(self, key: Key) -> TestRunView | None:
        name = self._testrun_names.get(key)
        found = self._testruns.get(key[0], name) if name else None
        if found is None or found.key != key:
            # Deleted, or replaced by another TestRun of the same name.
            self._testrun_names.pop(key, None)
            return None
        return found

    def _list_pods(self, key: Key) -> list[Object]:
        # The label without the prefix exists in every version of Kubernetes.
        return self._cluster.list(PODS, key[0], label_selector=f"job-name={key[1]}").items

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
        if self._jobs.get(key[0], key[1]) is None:
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
            if self._pods.get(pod.namespace, pod.name) is None:
                names.discard(pod.name)
                if pod.is_terminal and pod.is_deleting and self._jobs.get(*key) is not None:
                    self._deleted_pods[key] = self._with_first_deletion(pod)
                self._deletions.pop(pod.uid, None)
            else:
                names.add(pod.name)
            if not names:
                del self._pod_names[key]
        self._on_key(key)
