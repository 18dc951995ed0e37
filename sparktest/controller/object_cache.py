"""ObjectCache: the objects of one kind by name; no older version replaces a newer one."""

import threading
from typing import Any, Generic, NamedTuple, TypeVar

from sparktest.kube.fields import Object

NamespacedName = tuple[str, str]
T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """A cached object: its identity, its version, and the value that was parsed from it."""

    key: NamespacedName
    uid: str
    version: int
    value: T


def key_of(obj: Any) -> NamespacedName | None:
    """Return namespace ("" where the kind has none) and name; None without a usable name."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace", "")
    if isinstance(name, str) and name and isinstance(namespace, str):
        return namespace, name
    return None


def entry_of(obj: Object, key: NamespacedName, value: T) -> Entry[T]:
    """Return the entry of an object with this key."""
    metadata = obj["metadata"]
    version = _number(metadata.get("resourceVersion"))
    return Entry(key, str(metadata.get("uid") or ""), version, value)


class ObjectCache(Generic[T]):
    """The state of a list and the watch that follows it; threads may share it.

    Attributes:
        version: the resourceVersion up to which all changes have been seen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[NamespacedName, Entry[T]] = {}
        self.version = ""

    def get(self, key: NamespacedName) -> Entry[T] | None:
        """Return the object; None where there is none."""
        return self._entries.get(key)

    def items(self) -> list[Entry[T]]:
        """Return all objects."""
        with self._lock:
            return list(self._entries.values())

    def put(self, entry: Entry[T]) -> bool:
        """Cache the answer to a write; return False if it is not newer than what is cached.

        An object that is not cached although all changes up to its version have been seen was
        deleted since: caching it would bring it back.
        """
        with self._lock:
            old = self._entries.get(entry.key)
            known = old.version if old is not None else _number(self.version)
            if entry.version <= known:
                return False
            self._entries[entry.key] = entry
            return True

    def apply(self, entry: Entry[T], *, deleted: bool) -> list[Entry[T]]:
        """Apply an event of the watch and advance `version`; return changes as `replace` does."""
        with self._lock:
            if entry.version:
                self.version = str(entry.version)
            old = self._entries.get(entry.key)
            other = old is not None and old.uid != entry.uid
            if old is not None and entry.version <= old.version:
                return [entry] if deleted and other else []
            if not deleted:
                self._entries[entry.key] = entry
                return [old, entry] if old is not None and other else [entry]
            return [] if self._entries.pop(entry.key, None) is None else [entry]

    def replace(self, entries: list[Entry[T]], version: str) -> list[Entry[T]]:
        """Replace all objects by a list; return the new, the changed and the deleted ones.

        Of a deleted object that is its last known state. One that was deleted and created again
        under its name is returned in both states. What was put after the list was read stays.
        """
        listed = {entry.key: entry for entry in entries}
        changed: list[Entry[T]] = []
        with self._lock:
            for key, old in list(self._entries.items()):
                if key not in listed and (not version or old.version <= _number(version)):
                    changed.append(self._entries.pop(key))
            for key, entry in listed.items():
                known = self._entries.get(key)
                if known is not None and entry.version <= known.version:
                    continue
                self._entries[key] = entry
                if known is not None and known.uid != entry.uid:
                    changed.append(known)
                changed.append(entry)
            self.version = version
        return changed

    def advance(self, bookmark: Object) -> None:
        """Advance `version` to that of a bookmark."""
        metadata = bookmark.get("metadata")
        if isinstance(metadata, dict):
            with self._lock:
                self.version = metadata.get("resourceVersion") or self.version


def _number(version: Any) -> int:
    # Versions of one kind are integers that grow, for every storage Kubernetes has ever had and
    # by promise since 1.35.
    return int(version) if isinstance(version, str) and version.isdecimal() else 0
