"""Stored objects, and the events of their changes."""

from typing import Any, NamedTuple

import msgspec

Object = dict[str, Any]


class StoredObject(NamedTuple):
    """One version of an object as JSON, with the fields that the store is searched by.

    Attributes:
        kind: the key of the kind, as in `Kind.key`.
        version: the resource version.
        owners: the uids of its owners.
        raw: the JSON.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    version: int
    labels: dict[str, str]
    owners: tuple[str, ...]
    raw: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        """Return kind, namespace and name."""
        return (self.kind, self.namespace, self.name)

    def decode(self) -> Object:
        """Return the object as a new dictionary."""
        decoded: Object = msgspec.json.decode(self.raw)
        return decoded


class WatchEvent(NamedTuple):
    """A change of type ADDED, MODIFIED or DELETED; `before` is the replaced version."""

    type: str
    object: StoredObject
    before: StoredObject | None


def stored_object(kind: str, obj: Object, raw: bytes) -> StoredObject:
    """Return the stored form of an object, given its JSON."""
    meta = obj["metadata"]
    return StoredObject(
        kind=kind,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        labels=meta.get("labels") or {},
        owners=tuple(owner["uid"] for owner in meta.get("ownerReferences") or ()),
        raw=raw,
    )
