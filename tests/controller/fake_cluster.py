"""A fake of Cluster, with the rules of the API server that the controller relies on."""

import copy
import itertools
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from sparktest.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from sparktest.kube.cluster import Listing, Page
from sparktest.kube.resources import JOBS, PODS, Resource
from sparktest.merge_patch import merge_patch
from tests.controller.faults import Faults

Object = dict[str, Any]
Objects = list[Object]
Names = list[str]
Patch = Object | Objects


class FakeCluster:
    """Objects by resource, namespace and name; writes behave as those of the API server.

    Attributes:
        changed: all versions of all objects in order; None is the object of a deletion.
        create_errors: the error that a create of a resource raises.
        terminating: namespaces that are being deleted: nothing can be created in them.
        writes: verb, resource and name of every write, in order.
    """

    def __init__(self, clock: Callable[[], datetime], faults: Faults) -> None:
        self.objects: dict[tuple[Resource, str, str], Object] = {}
        self.changed: list[tuple[Resource, str, str, Object | None]] = []
        self.create_errors: dict[Resource, Exception] = {}
        self.terminating: set[str | None] = set()
        self.writes: list[tuple[str, Resource, str]] = []
        self._clock = clock
        self._faults = faults
        # A deletion has the odd version after that of the object.
        self._versions = itertools.count(2, 2)
        self._uids = itertools.count(1)

    def uid(self) -> str:
        return "here"

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        found = self.objects.get((resource, namespace or "", name))
        if found is None:
            raise NotFoundError(f'{resource.plural} "{name}" not found')
        return copy.deepcopy(found)

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Listing:
        wanted = dict(part.split("=") for part in (label_selector or "").split(",") if part)
        involved = dict(part.split("=") for part in (field_selector or "").split(",") if part)
        uid, named = involved.get("involvedObject.uid"), involved.get("metadata.name")
        items = [
            copy.deepcopy(obj)
            for (kind, where, name), obj in self.objects.items()
            if kind == resource
            and named in (None, name)
            and namespace in (None, where)
            and wanted.items() <= obj["metadata"].get("labels", {}).items()
            and (uid is None or obj["involvedObject"].get("uid") == uid)
        ]
        newest = [int(obj["metadata"]["resourceVersion"]) for obj in self.objects.values()]
        return Listing(items, str(max(newest, default=1)))

    def pages(
        self, resource: Resource, namespace: str | None = None, *, label_selector: str | None = None
    ) -> Iterator[Page]:
        listing = self.list(resource, namespace, label_selector=label_selector)
        yield Page(iter(listing.items), listing.resource_version)

    def create(
        self, resource: Resource, namespace: str | None, manifest: Object, *, dry_run: bool = False
    ) -> Object:
        name = manifest["metadata"]["name"]
        with self._faults.around():
            if namespace in self.terminating:
                raise ForbiddenError(
                    f'{resource.plural} "{name}" is forbidden: unable to create new content in '
                    f"namespace {namespace} because it is being terminated"
                )
            if not dry_run:
                self.writes.append(("create", resource, name))
            if resource in self.create_errors:
                raise self.create_errors[resource]
            if dry_run:
                return manifest
            if (resource, namespace or "", name) in self.objects:
                raise ConflictError(f'{resource.plural} "{name}" already exists')
            return self.put(resource, manifest)

    def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Patch,
        *,
        subresource: str | None = None,
    ) -> Object:
        with self._faults.around():
            self.writes.append(("patch", resource, name))
            obj = self.get(resource, namespace, name)
            before = copy.deepcopy(obj)
            if isinstance(body, list):
                _json_patch(obj, body)
            else:
                obj = merge_patch(obj, body)
            if obj["metadata"]["uid"] != before["metadata"]["uid"]:
                raise ConflictError("the uid is that of another object")
            if subresource is None and "status" in before:
                obj["status"] = before["status"]
            _check_finalizers(before, obj)
            return obj if obj == before else self.put(resource, obj)

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        with self._faults.around():
            self.writes.append(("delete", resource, name))
            if uid is not None and self.get(resource, namespace, name)["metadata"]["uid"] != uid:
                raise ConflictError("the uid is that of another object")
            self.remove(resource, namespace or "", name)

    # --- changes by tests ------------------------------------------------------------------------

    def put(self, resource: Resource, obj: Object) -> Object:
        """Store the object as its next version; a deleted one without finalizers is removed."""
        obj = copy.deepcopy(obj)
        metadata = obj["metadata"]
        metadata.setdefault("uid", f"{next(self._uids):08x}-0000-4000-8000-000000000000")
        metadata.setdefault("creationTimestamp", self._clock().strftime("%Y-%m-%dT%H:%M:%SZ"))
        metadata["resourceVersion"] = str(next(self._versions))
        key = (resource, metadata.get("namespace", ""), metadata["name"])
        gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if gone and resource not in (PODS,):
            self.objects.pop(key, None)
            self.changed.append((*key, None))
        else:
            self.objects[key] = obj
            self.changed.append((*key, copy.deepcopy(obj)))
        return copy.deepcopy(obj)

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete the object: now, or when it has no finalizers any more."""
        obj = self.get(resource, namespace, name)
        if obj["metadata"].get("finalizers"):
            if "deletionTimestamp" not in obj["metadata"]:
                obj["metadata"]["deletionTimestamp"] = self._clock().isoformat()
                if "generation" in obj["metadata"]:
                    obj["metadata"]["generation"] += 1
                self.put(resource, obj)
            return
        del self.objects[(resource, namespace, name)]
        self.changed.append((resource, namespace, name, None))

    def all(self, resource: Resource) -> Objects:
        """Return copies of all objects of the kind."""
        return [copy.deepcopy(obj) for key, obj in self.objects.items() if key[0] == resource]

    def jobs_created(self) -> Names:
        """Return the names of the Jobs that were created, in order."""
        seen: dict[str, str] = {}
        for resource, _, name, obj in self.changed:
            if resource == JOBS and obj is not None:
                seen.setdefault(obj["metadata"]["uid"], name)
        return list(seen.values())


def _json_patch(obj: Object, patch: list[Object]) -> None:
    for step in patch:
        *path, last = step["path"].strip("/").split("/")
        target: Any = obj
        for part in path:
            target = target[int(part)] if isinstance(target, list) else target.get(part, {})
        if step["op"] == "add" and isinstance(target, list):
            target.insert(len(target) if last == "-" else int(last), step["value"])
        elif step["op"] == "add":
            target[last] = copy.deepcopy(step["value"])
        elif step["op"] == "remove":
            target.pop(int(last) if isinstance(target, list) else last)
        elif not _equals(target, last, step["value"]):
            raise InvalidError(f"test of {step['path']} failed")


def _equals(target: Any, last: str, value: Any) -> bool:
    if isinstance(target, list):
        return int(last) < len(target) and bool(target[int(last)] == value)
    return bool(target.get(last) == value)


def _check_finalizers(before: Object, after: Object) -> None:
    new = set(after["metadata"].get("finalizers", [])) - set(
        before["metadata"].get("finalizers", [])
    )
    if new and "deletionTimestamp" in before["metadata"]:
        raise ForbiddenOrInvalidError("no new finalizers can be added if the object is deleting")


class ForbiddenOrInvalidError(InvalidError):
    """The error for a new finalizer on an object that is being deleted."""
