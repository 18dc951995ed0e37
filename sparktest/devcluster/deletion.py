"""Delete objects: preconditions, grace periods, finalizers, propagation policies."""

from typing import Any

import msgspec

from sparktest.devcluster.api_errors import bad_request, conflict, forbidden
from sparktest.devcluster.bootstrap import SYSTEM_NAMESPACES
from sparktest.devcluster.clock import deadline
from sparktest.devcluster.kinds import CRDS, JOBS, NAMESPACES, PODS, Kind
from sparktest.devcluster.objects import ended, released
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.stored_objects import Object, StoredObject
from sparktest.times import format_time

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
FINALIZERS = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN], "Background": []}
# Kinds for which a DELETE returns the object instead of a Status.
RETURNS_OBJECT = ("Pod", "ServiceAccount")
ORPHAN_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


class DeleteOptions(msgspec.Struct, rename="camel"):
    """The options of a DELETE, from its body or its query."""

    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    preconditions: dict[str, Any] | None = None
    dry_run: list[str] | None = None


def delete(
    resources: Resources,
    kind: Kind,
    stored: StoredObject,
    options: DeleteOptions,
    warnings: list[str] | None = None,
) -> Object:
    """Delete an object; return it if it still exists (finalizers, a grace period), else a Status.

    Warnings for the client are appended to `warnings`.

    Raises:
        StatusError: 400, 403 or 409.
    """
    with resources.store.lock:
        obj = resources.get(kind, stored.namespace, stored.name)
        _check(kind, obj, options)
        policy = _policy(kind, options, warnings)
        if not options.dry_run:
            obj = resources.set_status(
                kind,
                resources.stored(kind, stored.namespace, stored.name),
                lambda current: _mark_deleted(resources, kind, current, options, policy),
            )
            if not released(obj):
                return resources.get(kind, stored.namespace, stored.name)
        return obj if kind.kind in RETURNS_OBJECT else _success_status(kind, obj)


def _check(kind: Kind, obj: Object, options: DeleteOptions) -> None:
    meta = obj["metadata"]
    if kind is NAMESPACES and meta["name"] in SYSTEM_NAMESPACES:
        why = "this namespace may not be deleted"
        raise forbidden(kind.plural, kind.group, meta["name"], why)
    for key, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = (options.preconditions or {}).get(key)
        if wanted is not None and wanted != meta[key]:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta:"
            raise conflict(kind.plural, kind.group, meta["name"], f"{why} {meta[key]}")


def _policy(kind: Kind, options: DeleteOptions, warnings: list[str] | None) -> str:
    if options.orphan_dependents is not None:
        return "Orphan" if options.orphan_dependents else "Background"
    if options.propagation_policy is None:
        if kind is not JOBS:
            return "Background"
        if warnings is not None:
            warnings.append(ORPHAN_WARNING)
        return "Orphan"
    if options.propagation_policy not in FINALIZERS:
        raise bad_request(
            f"propagationPolicy: {options.propagation_policy!r} is not one of Background, "
            "Foreground, Orphan"
        )
    return options.propagation_policy


def _mark_deleted(
    resources: Resources, kind: Kind, obj: Object, options: DeleteOptions, policy: str
) -> None:
    """Set the deletion timestamp, and the finalizers that the propagation policy needs."""
    meta = obj["metadata"]
    seconds = _grace_seconds(kind, obj, options)
    left = meta.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" not in meta or (left is not None and seconds < left):
        meta["deletionTimestamp"] = format_time(deadline(resources.clock.timestamp(), seconds))
        meta["deletionGracePeriodSeconds"] = seconds
    if kind is NAMESPACES:
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    names = [name for name in meta.get("finalizers") or () if name not in (FOREGROUND, ORPHAN)]
    added = FINALIZERS[policy]
    if added and resources.store.dependents(meta["uid"]):
        names += added
    if kind is CRDS and CRD_CLEANUP not in names:  # the objects of the kind are deleted first
        names.append(CRD_CLEANUP)
    meta.pop("finalizers", None)
    if names:
        meta["finalizers"] = names


def _grace_seconds(kind: Kind, obj: Object, options: DeleteOptions) -> int:
    """Return the grace period of a pod that is running; 0 for everything else."""
    if kind is not PODS or ended(obj) or not obj["spec"].get("nodeName"):
        return 0
    if options.grace_period_seconds is not None:
        return max(0, options.grace_period_seconds)
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30))


def _success_status(kind: Kind, obj: Object) -> Object:
    meta = obj["metadata"]
    details = {"name": meta["name"], "group": kind.group, "kind": kind.plural, "uid": meta["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
