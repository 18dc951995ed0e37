"""FinishedRuns: runs for which nothing is left to do, in a few hundred bytes each.

Their objects are not cached. Where one of them must be reconciled after all, such as for a database
that was restored, `Caches.reload` reads them again.
"""

import sys
import threading
from collections.abc import Collection
from typing import NamedTuple

from sparktest.controller.informer_options import Skip
from sparktest.controller.object_cache import Entry, NamespacedName
from sparktest.controller.testruns import Key, TestRunView
from sparktest.kube.fields import text
from sparktest.kube.pod_view import PodView
from sparktest.kube.views import JobView


class FinishedRun(NamedTuple):
    """What is kept of a finished run.

    Attributes:
        run_id: its id in the API; "" for a TestRun that could not be registered.
        testrun: the name of its TestRun; "" for an API run.
        version: the resourceVersion of its TestRun; of its Job for an API run.
    """

    run_id: str
    testrun: str
    version: int


class FinishedRuns:
    """The finished runs by key; threads may share it.

    Its methods `skips_…` are called for objects that are not cached. They note a run that has
    finished, and return True for the objects of such a run.

    Attributes:
        testruns, jobs, pods: what the informers of these kinds do not cache. After a restore of
            etcd to an older state, a run may be unfinished again: all are noted anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # One string for each run: objects for its fields would take twice the memory.
        self._packed: dict[Key, str] = {}
        self.testruns = Skip(
            self.skips_testrun,
            self.forget_testrun,
            self.retain_testruns,
            lambda: self.retain_testruns((), None, sys.maxsize),
        )
        self.jobs = Skip(
            self.skips_job,
            self.forget_job,
            self.retain_jobs,
            lambda: self.retain_jobs((), None, sys.maxsize),
        )
        self.pods = Skip(self.skips_pod)

    def __contains__(self, key: Key) -> bool:
        return key in self._packed

    def get(self, key: Key) -> FinishedRun | None:
        """Return what is kept of this run, None if it has not finished."""
        packed = self._packed.get(key)
        return _unpack(packed) if packed is not None else None

    def add(self, key: Key, run: FinishedRun) -> None:
        """Keep a run, or a newer version of it."""
        namespace, name = key
        with self._lock:
            packed = f"{run.version} {run.run_id} {run.testrun}"
            self._packed[sys.intern(namespace), name] = packed

    def remove(self, key: Key) -> None:
        """Drop the run."""
        with self._lock:
            self._packed.pop(key, None)

    def ids(self) -> dict[str, Key]:
        """Return the keys of the runs by their ids in the API."""
        with self._lock:
            found = list(self._packed.items())
        return {run_id: key for key, packed in found if (run_id := _unpack(packed).run_id)}

    def skips_testrun(self, entry: Entry[TestRunView]) -> bool:
        """Return True if the run has finished, or had finished in a newer version."""
        testrun = entry.value
        known = self.get(testrun.key)
        if known is not None and 0 < entry.version <= known.version:
            return True
        if not testrun.has_finished:
            return False
        run_id = text(testrun.status, "runId")
        self.add(testrun.key, FinishedRun(run_id, testrun.name, entry.version))
        return True

    def skips_job(self, entry: Entry[JobView]) -> bool:
        """Return True for a Job of a finished run; of an API run, the Job says that itself."""
        known = self.get(entry.key)
        if known is not None and known.testrun:
            return True
        job = entry.value
        is_done = job.is_finished and job.ttl_seconds is not None and job.owner_uid is None
        if not is_done or job.run_id is None:
            return False
        self.add(entry.key, FinishedRun(job.run_id, "", entry.version))
        return True

    def skips_pod(self, entry: Entry[PodView]) -> bool:
        """Return True for a pod of a finished run."""
        return (entry.value.namespace, entry.value.job_name or "") in self

    def forget_testrun(self, entry: Entry[TestRunView]) -> None:
        """Drop the run of a TestRun that was deleted."""
        self.remove(entry.value.key)

    def forget_job(self, entry: Entry[JobView]) -> None:
        """Drop the API run of a Job that was deleted."""
        known = self.get(entry.key)
        if known is not None and not known.testrun:
            self.remove(entry.key)

    def retain_testruns(
        self, names: Collection[NamespacedName], namespace: str | None, version: int
    ) -> None:
        """Drop the runs whose TestRuns are missing in a list.

        Args:
            names: the listed TestRuns that were skipped.
            namespace: the namespace that was listed; None for all.
            version: the version of the list; runs that have finished since then stay.
        """
        for key, run in self._older(namespace, version):
            if run.testrun and (key[0], run.testrun) not in names:
                self.remove(key)

    def retain_jobs(
        self, names: Collection[NamespacedName], namespace: str | None, version: int
    ) -> None:
        """Drop the API runs whose Jobs are missing in a list; see `retain_testruns`."""
        for key, run in self._older(namespace, version):
            if not run.testrun and key not in names:
                self.remove(key)

    def _older(self, namespace: str | None, version: int) -> list[tuple[Key, FinishedRun]]:
        with self._lock:
            found = [(key, _unpack(packed)) for key, packed in self._packed.items()]
        return [
            (key, run)
            for key, run in found
            if namespace in (None, key[0]) and run.version <= version
        ]


def _unpack(packed: str) -> FinishedRun:
    version, run_id, testrun = packed.split(" ")
    return FinishedRun(run_id, testrun, int(version))
