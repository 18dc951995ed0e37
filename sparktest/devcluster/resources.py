"""Create, get and update objects of any kind. For delete see deletion.py."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from sparktest.devcluster import admission
from sparktest.devcluster.api_errors import (
    MODIFIED,
    StatusError,
    already_exists,
    bad_request,
    cause,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.kinds import METADATA_SCHEMA, NAMESPACES, Kind
from sparktest.devcluster.objects import (
    IMMUTABLE,
    SERVER_SET,
    generate_name,
    metadata_causes,
    new_uid,
    ordered_metadata,
    released,
)
from sparktest.devcluster.schemas import TYPE_INVALID
from sparktest.devcluster.store import Store
from sparktest.devcluster.stored_objects import Object, StoredObject
from sparktest.devcluster.validation_errors import builtin_messages

Change = Callable[[Object], Object]
ChangeInPlace = Callable[[Object], None]


class Options(msgspec.Struct, frozen=True):
    """Options of a write.

    `validation`: what to do about unknown fields: Ignore, Warn or Strict. Warnings are added to
    `warnings`.
    """

    dry_run: bool = False
    patch: bool = False
    validation: str = "Warn"
    warnings: list[str] = msgspec.field(default_factory=list)


class Resources:
    """Objects of every kind, validated before they are stored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def stored(self, kind: Kind, namespace: str, name: str) -> StoredObject:
        """Return the current version of an object.

        Raises:
            StatusError: 404, there is no such object.
        """
        stored = self.store.get(kind.key, namespace, name)
        if stored is None:
            raise not_found(kind.plural, kind.group, name)
        return stored

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return an object in the version of `kind`; for errors see stored()."""
        obj = self.stored(kind, namespace, name).decode()
        obj["apiVersion"] = kind.api_version
        return obj

    def create(self, kind: Kind, namespace: str, obj: Any, options: Options) -> Object:
        """Create an object; return it as stored.

        Raises:
            StatusError: 400, 403, 404 (no such namespace), 409 or 422.
        """
        obj = self._decode(kind, namespace, obj)
        meta = obj["metadata"]
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = generate_name(meta["generateName"])
        stamp = self.clock.timestamp()
        obj["metadata"] = self._new_metadata(kind, namespace, meta, stamp)
        self._prune(kind, obj, options)
        if "status" in kind.subresources:
            obj.pop("status", None)
        self._check_names(kind, obj)
        self._check_schema(kind, obj, None, options)
        admission.default(kind, obj)
        with self.store.lock:
            if kind.namespaced:
                self._check_namespace(kind, namespace, obj["metadata"]["name"])
            admission.complete(kind, obj, self.store, stamp)
            self._raise_invalid(kind, obj, admission.causes(kind, obj, None))
            if self.store.get(kind.key, namespace, obj["metadata"]["name"]):
                raise already_exists(kind.plural, kind.group, obj["metadata"]["name"])
            return obj if options.dry_run else self._save(kind, obj)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Change,
        options: Options,
        subresource: str = "",
    ) -> Object:
        """Update an object; return it as stored.

        `change` receives the current object and returns the wanted one. Nothing is written if they
        are equal. An object that is being deleted and has lost its last finalizer is removed.

        Raises:
            StatusError: 400, 404, 409 or 422, or whatever `change` raises.
        """
        with self.store.lock:
            current = self.get(kind, namespace, name)
            wanted = self._decode(kind, namespace, change(current))
            self._preconditions(kind, current, wanted["metadata"])
            obj = self._merge_immutable(kind, current, wanted, subresource)
            self._prune(kind, obj, options)
            self._check_names(kind, obj)
            self._check_finalizers(kind, obj, current)
            self._check_schema(kind, obj, current, options)
            admission.default(kind, obj)
            self._raise_invalid(kind, obj, admission.causes(kind, obj, current))
            if obj == current:
                return current
            counted, before = (_generation_fields(kind, each) for each in (obj, current))
            if kind.generation and counted != before:
                obj["metadata"]["generation"] = current["metadata"].get("generation", 1) + 1
            return obj if options.dry_run else self._save(kind, obj)

    def set_status(self, kind: Kind, stored: StoredObject, change: ChangeInPlace) -> Object:
        """Apply a change of a controller without validation; return the object.

        Nothing happens if the object no longer exists or another one has its name.
        """
        with self.store.lock:
            current = self.store.get(*stored.key)
            if current is None or current.uid != stored.uid:
                return stored.decode()
            obj = current.decode()
            change(obj)
            if obj == current.decode():
                return obj
            return self._save(kind, obj)

    def _save(self, kind: Kind, obj: Object) -> Object:
        """Store an object, or remove it if its deletion is complete; return it."""
        obj["apiVersion"] = kind.stored_as
        write = self.store.remove if released(obj) else self.store.put
        write(kind.key, obj)
        obj["apiVersion"] = kind.api_version
        return obj

    def _decode(self, kind: Kind, namespace: str, obj: Any) -> Object:
        """Return the object with its fields in the usual order.

        Raises:
            StatusError: 400, it is not an object of this kind and namespace.
        """
        if not isinstance(obj, dict):
            raise bad_request("the body must be an object")
        given = (obj.get("apiVersion", kind.api_version), obj.get("kind", kind.kind))
        if given != (kind.api_version, kind.kind):
            raise bad_request(
                f"{given[1]} in version {given[0]!r} cannot be handled as a {kind.kind} of "
                f"{kind.api_version}"
            )
        meta = obj.get("metadata") or {}
        errors = METADATA_SCHEMA.type_errors({"metadata": meta})
        if errors:
            raise bad_request(_decode_message(kind, errors[0]["message"]))
        if meta.get("namespace", namespace) != namespace and kind.namespaced:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        head = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": ordered_metadata(meta),
        }
        return head | {key: value for key, value in obj.items() if key not in head}

    def _new_metadata(
        self, kind: Kind, namespace: str, meta: dict[str, Any], stamp: str
    ) -> dict[str, Any]:
        fresh = {key: value for key, value in meta.items() if key not in SERVER_SET}
        fresh |= {"uid": new_uid(), "creationTimestamp": stamp}
        if kind.generation:
            fresh["generation"] = 1
        if kind.namespaced:
            fresh["namespace"] = namespace
        return fresh

    def _prune(self, kind: Kind, obj: Object, options: Options) -> None:
        unknown = kind.compiled_schema.prune(obj)
        if unknown and options.validation == "Strict":
            fields = ", ".join(f'unknown field "{field}"' for field in unknown)
            raise _decode_error(kind, f"strict decoding error: {fields}", options)
        if options.validation == "Warn":
            options.warnings.extend(f'unknown field "{field}"' for field in unknown)
        kind.compiled_schema.default(obj)

    def _check_names(self, kind: Kind, obj: Object) -> None:
        label_name = kind is NAMESPACES
        self._raise_invalid(kind, obj, metadata_causes(obj["metadata"], label_name=label_name))

    def _check_schema(self, kind: Kind, obj: Object, old: Object | None, options: Options) -> None:
        causes = kind.compiled_schema.causes(obj, old)
        if not kind.custom and any(c["reason"] == TYPE_INVALID for c in causes):
            raise _decode_error(kind, causes[0]["message"], options)
        self._raise_invalid(kind, obj, causes if kind.custom else builtin_messages(causes))

    def _check_finalizers(self, kind: Kind, obj: Object, current: Object) -> None:
        if not current["metadata"].get("deletionTimestamp"):
            return
        had = current["metadata"].get("finalizers") or []
        new = [name for name in obj["metadata"].get("finalizers") or [] if name not in had]
        if new:
            text = "Forbidden: no new finalizers can be added if the object is being deleted, found"
            names = ", ".join(map(json.dumps, new))
            text = f"{text} new finalizers []string{{{names}}}"
            found = cause("Forbidden", "metadata.finalizers", text)
            self._raise_invalid(kind, obj, [found])

    def _raise_invalid(self, kind: Kind, obj: Object, causes: list[Any]) -> None:
        if causes:
            raise invalid(kind.kind, kind.group, obj["metadata"].get("name", ""), causes)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        stored = self.store.get(NAMESPACES.key, "", namespace)
        if stored is None:
            raise not_found("namespaces", "", namespace)
        if stored.decode()["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being"
            error = forbidden(kind.plural, kind.group, name, f"{why} terminated")
            causes = [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]
            error.details["causes"] = causes
            raise error

    def _preconditions(self, kind: Kind, current: Object, meta: dict[str, Any]) -> None:
        name = current["metadata"]["name"]
        if meta.get("name", name) != name:
            raise bad_request("the name of the object does not match the name on the URL")
        version = meta.get("resourceVersion")
        if kind.custom and not version:
            text = "Invalid value: 0x0: must be specified for an update"
            self._raise_invalid(kind, current, [cause("Invalid", "metadata.resourceVersion", text)])
        if version and version != current["metadata"]["resourceVersion"]:
            raise conflict(kind.plural, kind.group, name, MODIFIED)
        uid = current["metadata"]["uid"]
        if meta.get("uid", uid) != uid:
            why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta:"
            raise conflict(kind.plural, kind.group, name, f"{why} {uid}")

    def _merge_immutable(
        self, kind: Kind, current: Object, wanted: Object, subresource: str
    ) -> Object:
        """Return the wanted object with current values where this subresource cannot write."""
        if subresource == "status":
            kept = {key: value for key, value in current.items() if key != "status"}
            return kept | ({"status": wanted["status"]} if wanted.get("status") else {})
        system = {key: value for key, value in current["metadata"].items() if key in IMMUTABLE}
        meta = {key: value for key, value in wanted["metadata"].items() if key not in IMMUTABLE}
        obj = wanted | {"metadata": meta | system}
        if "status" in kind.subresources:
            obj.pop("status", None)
            if "status" in current:
                obj["status"] = current["status"]
        return obj


def _decode_error(kind: Kind, why: str, options: Options) -> StatusError:
    if options.patch:
        return invalid("", "", "", [cause("Invalid", "patch", f'Invalid value: "object": {why}')])
    return bad_request(_decode_message(kind, why))


def _decode_message(kind: Kind, why: str) -> str:
    return f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'


def _generation_fields(kind: Kind, obj: Object) -> Object:
    """Return the fields whose change increases the generation of an object."""
    without = {"metadata", "apiVersion"} | {"status"}.intersection(kind.subresources)
    return {key: value for key, value in obj.items() if key not in without}
