"""ObjectCache: the objects of one kind by name; no older version replaces a newer one."""

import threading
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from sparktest.kube.fields import Object, mapping, text

NamespacedName = tuple[str, str]
T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """A cached object: its identity, its version, and the value parsed from it."""

    key: NamespacedName
    uid: str
    version: int
    value: T


def make_entry(obj: Any, parse: Callable[[Object], T]) -> Entry[T] | None:
    """Return the entry of an object; None without a usable name.

    The namespace is "" for a kind without namespaces.
    """
    metadata = mapping(obj, "metadata")
    name, namespace = text(metadata, "name"), metadata.get("namespace", "")
    if not name or not isinstance(namespace, str):
        return None
    version = number(metadata.get("resourceVersion"))
    return Entry((namespace, name), text(metadata, "uid"), version, parse(obj))


class ObjectCache(Generic[T]):
    """The objects of a list, changed by the watch that follows it; threads may share it.

    Attributes:
        version: the resourceVersion up to which all changes have been seen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[NamespacedName, Entry[T]] = {}
        self.version = ""

    def get(self, key: NamespacedName) -> Entry[T] | None:
        """Return the object, or None."""
        return self._entries.get(key)

    def has(self, obj: Any) -> bool:
        """Return True if this version of the object is cached, or a newer one.

        It costs less than parsing the object: the watch repeats what `put` has cached before.
        """
        metadata = mapping(obj, "metadata")
        old = self._entries.get((text(metadata, "namespace"), text(metadata, "name")))
        return old is not None and number(metadata.get("resourceVersion")) <= old.version

    def items(self) -> list[Entry[T]]:
        """Return all objects."""
        with self._lock:
            return list(self._entries.values())

    def put(self, entry: Entry[T]) -> bool:
        """Cache the response to a write; return False if it is not newer than the cached object.

        If all changes up to its version have been seen and it is not cached, it has been deleted
        since then, and is not cached again.
        """
        with self._lock:
            old = self._entries.get(entry.key)
            known = old.version if old is not None else number(self.version)
            if entry.version <= known:
                return False
            self._entries[entry.key] = entry
            return True

    def restore(self, entry: Entry[T]) -> None:
        """Cache an object that was discarded, if no newer one is cached."""
        with self._lock:
            old = self._entries.get(entry.key)
            if old is None or old.version < entry.version:
                self._entries[entry.key] = entry

    def discard(self, entry: Entry[T]) -> bool:
        """Drop an object that is needed no more; return False if another version is cached."""
        with self._lock:
            if self._entries.get(entry.key) is not entry:
                return False
            del self._entries[entry.key]
            return True

    def apply(self, entry: Entry[T], *, deleted: bool) -> list[Entry[T]]:
        """Apply an event of the watch; return the changes as `replace` does.

        A new version with the same value is no change: what the parsed value lacks, nobody reads.
        """
        with self._lock:
            if entry.version:
                self.version = str(entry.version)
            old = self._entries.get(entry.key)
            other = old is not None and old.uid != entry.uid
            if old is not None and entry.version <= old.version:
                return [entry] if deleted and other else []
            if not deleted:
                self._entries[entry.key] = entry
                if old is None or other:
                    return [entry] if old is None else [old, entry]
                return [] if old.value == entry.value else [entry]
            return [] if self._entries.pop(entry.key, None) is None else [entry]

    def replace(self, entries: list[Entry[T]], version: str) -> list[Entry[T]]:
        """Replace all objects by a list; return the new, changed and deleted ones.

        A deleted object is returned in its last known state. An object that was deleted and
        created again is returned in both states. An object that was put after the list was read
        stays.
        """
        listed = {entry.key: entry for entry in entries}
        changed: list[Entry[T]] = []
        latest = number(version)
        with self._lock:
            # A restored etcd counts on from an older version: then what is cached is not newer.
            restored = 0 < latest < number(self.version)
            for key, old in list(self._entries.items()):
                if key not in listed and (not version or restored or old.version <= latest):
                    changed.append(self._entries.pop(key))
            for key, entry in listed.items():
                known = self._entries.get(key)
                if known is not None and entry.version <= known.version and not restored:
                    continue
                self._entries[key] = entry
                if known is not None and known.uid != entry.uid:
                    changed.append(known)
                changed.append(entry)
            self.version = version
        return changed

    def advance(self, bookmark: Object) -> None:
        """Advance `version` to the version of a bookmark."""
        with self._lock:
            self.version = text(mapping(bookmark, "metadata"), "resourceVersion") or self.version


def number(version: Any) -> int:
    """Return a resourceVersion as a number; 0 if it is none."""
    # The versions of one kind are growing integers: guaranteed since Kubernetes 1.35, and true
    # for all its storages before.
    return int(version) if isinstance(version, str) and version.isdecimal() else 0
