"""The garbage collector: delete what lost its owner, namespace or CRD, and what has expired."""

from contextlib import suppress

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.clock import Clock, deadline
from sparktest.devcluster.control_loop import ControlLoop, Key
from sparktest.devcluster.deletion import CRD_CLEANUP, FOREGROUND, ORPHAN, DeleteOptions, delete
from sparktest.devcluster.kinds import CRDS, EVENTS, JOBS, NAMESPACES, Kind, Kinds
from sparktest.devcluster.objects import condition, drop_finalizer, finished
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

EVENT_TTL_SECONDS = 3600.0
SWEEP_INTERVAL_SECONDS = 300.0
SWEEP: Key = (EVENTS.key, "", "")
TERMINATING = b'"deletionTimestamp":'
TTL = b'"ttlSecondsAfterFinished":'


class GarbageCollector:
    """Deletes dependents without owners, contents of namespaces and CRDs, old Jobs and Events."""

    def __init__(self, resources: Resources, kinds: Kinds, clock: Clock) -> None:
        self._resources = resources
        self._store = resources.store
        self._kinds = kinds
        self._clock = clock
        self._loop = ControlLoop("garbage", self._handle, clock)

    def start(self) -> None:
        """Handle all existing objects, and every change."""
        self._store.subscribe(self._on_event)
        for kind in self._kinds.stored():
            for entry in self._store.objects(kind.key):
                self._on_event(WatchEvent("ADDED", entry, None))
        self._loop.add_after(SWEEP, SWEEP_INTERVAL_SECONDS)
        self._loop.start()

    def stop(self) -> None:
        """Stop deleting."""
        self._loop.stop()

    def _on_event(self, event: WatchEvent) -> None:
        entry = event.object
        if event.type != "DELETED":
            # Most changes do not matter here, which the encoded JSON shows: decoding is expensive.
            new_owned = event.type == "ADDED" and entry.owners
            if (
                new_owned
                or TERMINATING in entry.raw
                or (entry.kind == JOBS.key and TTL in entry.raw)
            ):
                self._loop.add(entry.key)
            return
        for dependent in self._store.dependents(entry.uid):
            self._loop.add(dependent.key)
        for owner in entry.owners:
            if known := self._store.by_uid(owner):
                self._loop.add(known.key)
        if entry.namespace:
            self._loop.add((NAMESPACES.key, "", entry.namespace))
        group, _, plural = entry.kind.partition("/")
        if group:
            self._loop.add((CRDS.key, "", f"{plural}.{group}"))

    def _handle(self, key: Key) -> float | None:
        if key == SWEEP:
            return self._sweep()
        entry, kind = self._store.get(*key), self._kinds.by_key(key[0])
        if entry is None or kind is None:
            return None
        obj = entry.decode()
        if obj["metadata"].get("deletionTimestamp"):
            self._finalize(kind, entry, obj)
            return None
        if entry.owners and not any(self._is_held_by(owner, entry) for owner in entry.owners):
            self._delete(kind, entry)
            return None
        return self._expire(entry, obj) if kind is JOBS else None

    def _is_held_by(self, uid: str, dependent: StoredObject) -> bool:
        owner = self._store.by_uid(uid)
        if owner is None or owner.namespace not in ("", dependent.namespace):
            return False
        return FOREGROUND not in (owner.decode()["metadata"].get("finalizers") or ())

    def _finalize(self, kind: Kind, entry: StoredObject, obj: Object) -> None:
        """Delete what an object that is being deleted waits for, then remove its finalizer."""
        finalizers = obj["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            for dependent in self._store.dependents(entry.uid):
                self._orphan(dependent, entry.uid)
            self._remove_finalizer(kind, entry, ORPHAN)
        elif FOREGROUND in finalizers:
            self._foreground(kind, entry)
        elif CRD_CLEANUP in finalizers:
            key = f"{obj['spec']['group']}/{obj['spec']['names']['plural']}"
            if self._delete_all([key], ""):
                self._remove_finalizer(kind, entry, CRD_CLEANUP)
        elif kind is NAMESPACES:
            keys = [other.key for other in self._kinds.stored() if other.namespaced]
            if self._delete_all(keys, entry.name):
                self._resources.set_status(kind, entry, lambda obj: obj.update(spec={}))

    def _foreground(self, kind: Kind, entry: StoredObject) -> None:
        for dependent in self._store.dependents(entry.uid):
            self._delete_entry(dependent)
        left = self._store.dependents(entry.uid)
        if not any(_blocks(dependent, entry.uid) for dependent in left):
            self._remove_finalizer(kind, entry, FOREGROUND)

    def _delete_all(self, keys: list[str], namespace: str) -> bool:
        """Delete all objects of some kinds; return True when none is left."""
        for key in keys:
            for entry in self._store.objects(key, namespace):
                self._delete_entry(entry)
        return not any(self._store.objects(key, namespace) for key in keys)

    def _delete_entry(self, entry: StoredObject) -> None:
        kind = self._kinds.by_key(entry.kind)
        if kind and TERMINATING not in entry.raw:
            self._delete(kind, entry)

    def _delete(self, kind: Kind, entry: StoredObject, policy: str = "Background") -> None:
        # Not found, or replaced by another object of this name.
        with suppress(StatusError):
            same = {"uid": entry.uid}
            options = DeleteOptions(propagation_policy=policy, preconditions=same)
            delete(self._resources, kind, entry, options)

    def _orphan(self, dependent: StoredObject, owner: str) -> None:
        kind = self._kinds.by_key(dependent.kind)

        def release(obj: Object) -> None:
            meta = obj["metadata"]
            rest = [ref for ref in meta.pop("ownerReferences", ()) if ref["uid"] != owner]
            if rest:
                meta["ownerReferences"] = rest

        if kind:
            self._resources.set_status(kind, dependent, release)

    def _remove_finalizer(self, kind: Kind, entry: StoredObject, finalizer: str) -> None:
        self._resources.set_status(kind, entry, lambda obj: drop_finalizer(obj, finalizer))

    def _expire(self, entry: StoredObject, job: Object) -> float | None:
        """Delete a finished Job after its TTL, pods first; before, return the seconds left."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        end = condition(job, "Complete") or condition(job, "Failed")
        if seconds is None or end is None or not finished(job):
            return None
        left = (deadline(end["lastTransitionTime"], seconds) - self._clock.now()).total_seconds()
        if left > 0:
            return left
        self._delete(JOBS, entry, "Foreground")
        return None

    def _sweep(self) -> float:
        """Delete Events of more than an hour ago; return the seconds until the next sweep."""
        now = self._clock.now()
        for entry in self._store.objects(EVENTS.key):
            event = entry.decode()
            last = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if deadline(last, EVENT_TTL_SECONDS) < now:
                self._delete(EVENTS, entry)
        return SWEEP_INTERVAL_SECONDS


def _blocks(dependent: StoredObject, owner: str) -> bool:
    references = dependent.decode()["metadata"].get("ownerReferences") or ()
    return any(ref["uid"] == owner and ref.get("blockOwnerDeletion") for ref in references)
