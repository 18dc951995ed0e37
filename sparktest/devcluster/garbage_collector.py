"""The garbage collector: delete expired objects, and objects whose owner or namespace is gone."""

from contextlib import suppress

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.clock import deadline
from sparktest.devcluster.control_loop import ControlLoop, Key
from sparktest.devcluster.deletion import CRD_CLEANUP, FOREGROUND, ORPHAN, DeleteOptions, delete
from sparktest.devcluster.kinds import CRDS, EVENTS, JOBS, NAMESPACES, Kind, Kinds
from sparktest.devcluster.objects import condition, drop_finalizer, finished
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

EVENT_TTL_SECONDS = 3600.0
SWEEP_INTERVAL_SECONDS = 300.0
SWEEP: Key = (EVENTS.key, "", "")
# Searched in the JSON of every changed object, since decoding is expensive.
TERMINATING = b'"deletionTimestamp":'
TTL = b'"ttlSecondsAfterFinished":'


class GarbageCollector:
    """Deletes dependents without owners, contents of namespaces and CRDs, old Jobs and Events."""

    def __init__(self, resources: Resources, kinds: Kinds) -> None:
        self._resources = resources
        self._store = resources.store
        self._kinds = kinds
        self._loop = ControlLoop("garbage", self._handle, resources.clock)

    def start(self) -> None:
        """Handle all existing objects, and every change."""
        self._store.subscribe(self._on_event)
        for kind in self._kinds.stored():
            for stored in self._store.objects(kind.key):
                self._on_event(WatchEvent("ADDED", stored, None))
        self._loop.add_after(SWEEP, SWEEP_INTERVAL_SECONDS)
        self._loop.start()

    def stop(self) -> None:
        """Stop deleting."""
        self._loop.stop()

    def _on_event(self, event: WatchEvent) -> None:
        stored = event.object
        if event.type != "DELETED":
            new_owned = event.type == "ADDED" and stored.owners
            if (
                new_owned
                or TERMINATING in stored.raw
                or (stored.kind == JOBS.key and TTL in stored.raw)
            ):
                self._loop.add(stored.key)
            return
        for dependent in self._store.dependents(stored.uid):
            self._loop.add(dependent.key)
        for owner in stored.owners:
            if known := self._store.by_uid(owner):
                self._loop.add(known.key)
        if stored.namespace:
            self._loop.add((NAMESPACES.key, "", stored.namespace))
        group, _, plural = stored.kind.partition("/")
        if group:
            self._loop.add((CRDS.key, "", f"{plural}.{group}"))

    def _handle(self, key: Key) -> float | None:
        if key == SWEEP:
            return self._sweep()
        stored, kind = self._store.get(*key), self._kinds.by_key(key[0])
        if stored is None or kind is None:
            return None
        obj = stored.decode()
        if obj["metadata"].get("deletionTimestamp"):
            self._finalize(kind, stored, obj)
            return None
        if stored.owners and not any(self._is_owned_by(owner, stored) for owner in stored.owners):
            self._delete(kind, stored)
            return None
        return self._expire(stored, obj) if kind is JOBS else None

    def _is_owned_by(self, uid: str, dependent: StoredObject) -> bool:
        """Return True if the owner exists and is not being deleted in the foreground."""
        owner = self._store.by_uid(uid)
        if owner is None or owner.namespace not in ("", dependent.namespace):
            return False
        return FOREGROUND not in (owner.decode()["metadata"].get("finalizers") or ())

    def _finalize(self, kind: Kind, stored: StoredObject, obj: Object) -> None:
        """Delete what must be deleted before an object, then remove its finalizer."""
        finalizers = obj["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            for dependent in self._store.dependents(stored.uid):
                self._orphan(dependent, stored.uid)
            self._remove_finalizer(kind, stored, ORPHAN)
        elif FOREGROUND in finalizers:
            self._delete_dependents(kind, stored)
        elif CRD_CLEANUP in finalizers:
            key = f"{obj['spec']['group']}/{obj['spec']['names']['plural']}"
            if self._delete_all([key], ""):
                self._remove_finalizer(kind, stored, CRD_CLEANUP)
        elif kind is NAMESPACES:
            keys = [other.key for other in self._kinds.stored() if other.namespaced]
            if self._delete_all(keys, stored.name):
                self._resources.set_status(kind, stored, lambda obj: obj.update(spec={}))

    def _delete_dependents(self, kind: Kind, stored: StoredObject) -> None:
        for dependent in self._store.dependents(stored.uid):
            self._delete_stored(dependent)
        left = self._store.dependents(stored.uid)
        if not any(_blocks(dependent, stored.uid) for dependent in left):
            self._remove_finalizer(kind, stored, FOREGROUND)

    def _delete_all(self, keys: list[str], namespace: str) -> bool:
        """Delete all objects of these kinds; return True when none is left."""
        for key in keys:
            for stored in self._store.objects(key, namespace):
                self._delete_stored(stored)
        return not any(self._store.objects(key, namespace) for key in keys)

    def _delete_stored(self, stored: StoredObject) -> None:
        kind = self._kinds.by_key(stored.kind)
        if kind and TERMINATING not in stored.raw:
            self._delete(kind, stored)

    def _delete(self, kind: Kind, stored: StoredObject, policy: str = "Background") -> None:
        options = DeleteOptions(propagation_policy=policy, preconditions={"uid": stored.uid})
        with suppress(StatusError):  # not found, or replaced by another object of this name
            delete(self._resources, kind, stored, options)

    def _orphan(self, dependent: StoredObject, owner: str) -> None:
        kind = self._kinds.by_key(dependent.kind)

        def release(obj: Object) -> None:
            meta = obj["metadata"]
            rest = [ref for ref in meta.pop("ownerReferences", ()) if ref["uid"] != owner]
            if rest:
                meta["ownerReferences"] = rest

        if kind:
            self._resources.set_status(kind, dependent, release)

    def _remove_finalizer(self, kind: Kind, stored: StoredObject, finalizer: str) -> None:
        self._resources.set_status(kind, stored, lambda obj: drop_finalizer(obj, finalizer))

    def _expire(self, stored: StoredObject, job: Object) -> float | None:
        """Delete a finished Job and its pods after its TTL; until then, return the seconds left."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        end = condition(job, "Complete") or condition(job, "Failed")
        if seconds is None or end is None or not finished(job):
            return None
        due = deadline(end["lastTransitionTime"], seconds)
        left = (due - self._resources.clock.now()).total_seconds()
        if left > 0:
            return left
        self._delete(JOBS, stored, "Foreground")
        return None

    def _sweep(self) -> float:
        """Delete expired Events; return the seconds until the next sweep."""
        now = self._resources.clock.now()
        for stored in self._store.objects(EVENTS.key):
            event = stored.decode()
            last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if deadline(last, EVENT_TTL_SECONDS) < now:
                self._delete(EVENTS, stored)
        return SWEEP_INTERVAL_SECONDS


def _blocks(dependent: StoredObject, owner: str) -> bool:
    references = dependent.decode()["metadata"].get("ownerReferences") or ()
    return any(ref["uid"] == owner and ref.get("blockOwnerDeletion") for ref in references)
