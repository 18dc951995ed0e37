"""The Job controller: plan each Job and execute the plan."""

import random
from collections.abc import Iterable
from contextlib import suppress

from sparktest.backoff import Backoff
from sparktest.devcluster.admission import TRACKING
from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.control_loop import ControlLoop, Key
from sparktest.devcluster.deletion import DeleteOptions, delete
from sparktest.devcluster.event_recorder import EventRecorder
from sparktest.devcluster.job_plan import JobPlan, plan_job
from sparktest.devcluster.kinds import JOBS, PODS
from sparktest.devcluster.objects import drop_finalizer, generate_name
from sparktest.devcluster.resources import Options, Resources
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

COMPONENT = "job-controller"
CREATE_BACKOFF = Backoff(first=1.0, cap=60.0)


class JobController:
    """Creates the pods of Jobs and writes the status of Jobs."""

    def __init__(self, resources: Resources, recorder: EventRecorder) -> None:
        self._resources = resources
        self._store = resources.store
        self._recorder = recorder
        self._create_failures: dict[str, int] = {}
        self._rng = random.Random()  # noqa: S311 (jitter)
        self._loop = ControlLoop("jobs", self._handle, resources.clock)

    def start(self) -> None:
        """Handle all existing Jobs, and every change of a Job or pod."""
        self._store.subscribe(self._on_event)
        for stored in [*self._store.objects(JOBS.key), *self._store.objects(PODS.key)]:
            self._on_event(WatchEvent("MODIFIED", stored, None))
        self._loop.start()

    def stop(self) -> None:
        """Stop handling Jobs."""
        self._loop.stop()

    def _on_event(self, event: WatchEvent) -> None:
        stored = event.object
        if stored.kind == JOBS.key:
            self._loop.add((stored.namespace, stored.name, stored.uid))
        elif stored.kind == PODS.key:
            for owner in stored.owners:
                # Handle a deleted Job too: its pods still have the finalizer.
                known = self._store.by_uid(owner)
                self._loop.add((stored.namespace, known.name if known else "", owner))

    def _handle(self, key: Key) -> float | None:
        namespace, name, uid = key
        with self._store.lock:
            stored = self._store.get(JOBS.key, namespace, name)
            job = stored.decode() if stored and stored.uid == uid else None
            pods = [pod for pod in self._store.dependents(uid) if pod.kind == PODS.key]
            if stored is None or job is None or job["metadata"].get("deletionTimestamp"):
                self._release(pods)
                self._create_failures.pop(uid, None)
                return None
            plan = plan_job(job, [pod.decode() for pod in pods], self._resources.clock.now())
            self._resources.set_status(JOBS, stored, lambda obj: obj.update(status=plan.status))
            chosen = {pod["metadata"]["uid"] for pod in plan.release}
            self._release(pod for pod in pods if pod.uid in chosen)
        return self._execute(job, plan)

    def _execute(self, job: Object, plan: JobPlan) -> float | None:
        """Execute the steps that need no lock; return the seconds until the next plan, or None."""
        for event in plan.events:
            self._record(job, event.reason, event.message, warning=event.warning)
        for pod in plan.delete:
            self._delete(job, pod)
        for _ in range(plan.create):
            if not self._create(job):
                failures = self._create_failures[job["metadata"]["uid"]]
                plan.requeue(CREATE_BACKOFF.delay(failures - 1, self._rng))
                break
        return plan.requeue_after

    def _release(self, pods: Iterable[StoredObject]) -> None:
        """Remove the finalizer that protects pods until they are counted."""
        for pod in pods:
            self._resources.set_status(PODS, pod, lambda obj: drop_finalizer(obj, TRACKING))

    def _delete(self, job: Object, pod: Object) -> None:
        meta = pod["metadata"]
        stored = self._store.by_uid(meta["uid"])
        if stored is None:
            return
        with suppress(StatusError):  # deleted by someone else
            delete(self._resources, PODS, stored, DeleteOptions())
            self._record(job, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    def _create(self, job: Object) -> bool:
        """Create a pod; record an Event and return False if it is rejected."""
        uid = job["metadata"]["uid"]
        try:
            pod = self._resources.create(
                PODS, job["metadata"]["namespace"], _pod_of(job), Options()
            )
        except StatusError as error:
            # Without the generated name, repeated rejections share one Event.
            name = (error.details or {}).get("name") or "\0"
            text = error.detail.replace(name, f"{job['metadata']['name']}-")
            self._create_failures[uid] = self._create_failures.get(uid, 0) + 1
            self._record(job, "FailedCreate", f"Error creating: {text}", warning=True)
            return False
        self._create_failures.pop(uid, None)
        self._record(job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return True

    def _record(self, job: Object, reason: str, message: str, *, warning: bool = False) -> None:
        self._recorder.record(job, reason, message, component=COMPONENT, warning=warning)


def _pod_of(job: Object) -> Object:
    """Return a new pod of the Job."""
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
