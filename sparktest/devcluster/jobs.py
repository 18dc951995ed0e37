"""The Job controller: carries out the plan for each Job."""

from collections.abc import Iterable
from contextlib import suppress

from sparktest.devcluster.admission import TRACKING
from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.deletion import DeleteOptions, delete
from sparktest.devcluster.entries import Entry, Event, Object
from sparktest.devcluster.jobplan import Plan, plan
from sparktest.devcluster.kinds import JOBS, PODS
from sparktest.devcluster.loops import Key, Loop
from sparktest.devcluster.objects import drop_finalizer, generate_name
from sparktest.devcluster.recorder import Recorder
from sparktest.devcluster.resources import Options, Resources

COMPONENT = "job-controller"
LONGEST_RETRY_SECONDS = 60.0


class JobController:
    """Makes the pods of Jobs and says in their status what became of them."""

    def __init__(self, resources: Resources, recorder: Recorder, clock: Clock) -> None:
        self._resources = resources
        self._store = resources.store
        self._recorder = recorder
        self._clock = clock
        self._refused: dict[str, int] = {}
        self._loop = Loop("jobs", self._handle, clock)

    def start(self) -> None:
        """Take up every Job there is, and those to come."""
        self._store.subscribe(self._follow)
        for entry in [*self._store.entries(JOBS.key), *self._store.entries(PODS.key)]:
            self._follow(Event("MODIFIED", entry, None))
        self._loop.start()

    def stop(self) -> None:
        """Leave the Jobs as they are."""
        self._loop.stop()

    def _follow(self, event: Event) -> None:
        entry = event.entry
        if entry.kind == JOBS.key:
            self._loop.add((entry.namespace, entry.name, entry.uid))
        elif entry.kind == PODS.key:
            for owner in entry.owners:
                # The owner may be gone; its pods still have to be let go.
                known = self._store.by_uid(owner)
                self._loop.add((entry.namespace, known.name if known else "", owner))

    def _handle(self, key: Key) -> float | None:
        namespace, name, uid = key
        with self._store.lock:
            entry = self._store.get(JOBS.key, namespace, name)
            job = entry.decode() if entry and entry.uid == uid else None
            pods = [pod for pod in self._store.dependents(uid) if pod.kind == PODS.key]
            if entry is None or job is None or job["metadata"].get("deletionTimestamp"):
                self._release(pods)
                self._refused.pop(uid, None)
                return None
            found = plan(job, [pod.decode() for pod in pods], self._clock.now())
            self._resources.set_status(JOBS, entry, lambda obj: obj.update(status=found.status))
            chosen = {pod["metadata"]["uid"] for pod in found.release}
            self._release(pod for pod in pods if pod.uid in chosen)
        return self._carry_out(job, found)

    def _carry_out(self, job: Object, found: Plan) -> float | None:
        """Do what needs no lock; the seconds until the Job is to be looked at again."""
        for note in found.notes:
            self._record(job, note.reason, note.message, warning=note.warning)
        for pod in found.delete:
            self._delete(job, pod)
        for _ in range(found.create):
            if not self._create(job):
                refused = self._refused[job["metadata"]["uid"]]
                pause = min(2.0 ** (refused - 1), LONGEST_RETRY_SECONDS)
                return min(pause, found.again if found.again is not None else pause)
        return found.again

    def _release(self, pods: Iterable[Entry]) -> None:
        """Take away the finalizer by which pods are kept until they are counted."""
        for pod in pods:
            self._resources.set_status(PODS, pod, lambda obj: drop_finalizer(obj, TRACKING))

    def _delete(self, job: Object, pod: Object) -> None:
        meta = pod["metadata"]
        entry = self._store.by_uid(meta["uid"])
        if entry is None:
            return
        with suppress(StatusError):  # somebody else was faster
            delete(self._resources, PODS, entry, DeleteOptions())
            self._record(job, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    def _create(self, job: Object) -> bool:
        """Whether a pod could be made; why not is told in an Event."""
        uid = job["metadata"]["uid"]
        try:
            pod = self._resources.create(PODS, job["metadata"]["namespace"], _pod(job), Options())
        except StatusError as error:
            # The name is made up anew each time; without it the same refusal is one Event.
            text = error.detail.replace(_made_up(error), f"{job['metadata']['name']}-")
            self._refused[uid] = self._refused.get(uid, 0) + 1
            self._record(job, "FailedCreate", f"Error creating: {text}", warning=True)
            return False
        self._refused.pop(uid, None)
        self._record(job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return True

    def _record(self, job: Object, reason: str, message: str, *, warning: bool = False) -> None:
        self._recorder.record(job, reason, message, component=COMPONENT, warning=warning)


def _made_up(error: StatusError) -> str:
    return str((error.details or {}).get("name") or "\0")


def _pod(job: Object) -> Object:
    """A pod of the Job."""
    meta, template = job["metadata"], job["spec"]["template"]
    own = template.get("metadata") or {}
    owner = {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    prefix = f"{meta['name']}-"
    return {
        "metadata": {
            "name": generate_name(prefix),
            "generateName": prefix,
            "labels": own.get("labels") or {},
            "annotations": own.get("annotations") or {},
            "finalizers": [*(own.get("finalizers") or ()), TRACKING],
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }
