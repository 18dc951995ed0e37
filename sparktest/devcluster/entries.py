"""Versions of objects, and the events that lead from one to the next."""

from typing import Any, NamedTuple

import msgspec

Object = dict[str, Any]


class Entry(NamedTuple):
    """One version of one object; `owners` are the uids of its owners."""

    kind: str
    namespace: str
    name: str
    uid: str
    version: int
    labels: dict[str, str]
    owners: tuple[str, ...]
    raw: bytes

    @property
    def place(self) -> tuple[str, str, str]:
        """The key of the store, the namespace and the name."""
        return (self.kind, self.namespace, self.name)

    def decode(self) -> Object:
        """The object, the caller's own."""
        decoded: Object = msgspec.json.decode(self.raw)
        return decoded


class Event(NamedTuple):
    """ADDED, MODIFIED or DELETED; `before` is the version that it took the place of."""

    type: str
    entry: Entry
    before: Entry | None


def entry_of(kind: str, obj: Object, raw: bytes) -> Entry:
    """The entry for an object and its JSON."""
    meta = obj["metadata"]
    return Entry(
        kind=kind,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta["uid"],
        version=int(meta["resourceVersion"]),
        labels=meta.get("labels") or {},
        owners=tuple(owner["uid"] for owner in meta.get("ownerReferences") or ()),
        raw=raw,
    )
