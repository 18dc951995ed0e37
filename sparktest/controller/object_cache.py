"""ObjectCache: the objects of one kind by name; no older version replaces a newer one."""

import threading
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]


def key_of(obj: Any) -> Key | None:
    """Return namespace ("" where the kind has none) and name; None without a usable name."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace", "")
    if isinstance(name, str) and name and isinstance(namespace, str):
        return namespace, name
    return None


class ObjectCache:
    """The state of a list and the watch that follows it; threads may share it.

    Attributes:
        version: the resourceVersion up to which all changes have been seen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Key, Object] = {}
        self.version = ""

    def get(self, key: Key) -> Object | None:
        """Return the object; None where there is none."""
        return self._objects.get(key)

    def items(self) -> list[Object]:
        """Return all objects."""
        with self._lock:
            return list(self._objects.values())

    def put(self, obj: Object) -> bool:
        """Cache the answer to a write; return False if it is not newer than what is cached.

        An object that is not cached although all changes up to its version have been seen was
        deleted since: caching it would bring it back.
        """
        key = key_of(obj)
        if key is None:
            return False
        with self._lock:
            old = self._objects.get(key)
            known = _version(old) if old is not None else _number(self.version)
            if _version(obj) <= known:
                return False
            self._objects[key] = obj
            return True

    def apply(self, obj: Object, *, deleted: bool) -> list[Object]:
        """Apply an event of the watch and advance `version`; return changes as `replace` does."""
        key = key_of(obj)
        if key is None:
            return []
        with self._lock:
            self.version = obj["metadata"].get("resourceVersion") or self.version
            old = self._objects.get(key)
            other = old is not None and _uid(old) != _uid(obj)
            if old is not None and _version(obj) <= _version(old):
                return [obj] if deleted and other else []
            if not deleted:
                self._objects[key] = obj
                return [old, obj] if old is not None and other else [obj]
            return [] if self._objects.pop(key, None) is None else [obj]

    def replace(self, objects: list[Object], version: str) -> list[Object]:
        """Replace all objects by a list; return the new, the changed and the deleted ones.

        Of a deleted object that is its last known state. One that was deleted and created again
        under its name is returned in both states. What was put after the list was read stays.
        """
        listed = {key: obj for obj in objects if (key := key_of(obj)) is not None}
        changed: list[Object] = []
        with self._lock:
            for key, old in list(self._objects.items()):
                if key not in listed and (not version or _version(old) <= _number(version)):
                    changed.append(self._objects.pop(key))
            for key, obj in listed.items():
                known = self._objects.get(key)
                if known is not None and _version(obj) <= _version(known):
                    continue
                self._objects[key] = obj
                if known is not None and _uid(known) != _uid(obj):
                    changed.append(known)
                changed.append(obj)
            self.version = version
        return changed

    def advance(self, bookmark: Object) -> None:
        """Advance `version` to that of a bookmark."""
        metadata = bookmark.get("metadata")
        if isinstance(metadata, dict):
            with self._lock:
                self.version = metadata.get("resourceVersion") or self.version


def _version(obj: Object) -> int:
    return _number(obj["metadata"].get("resourceVersion"))


def _uid(obj: Object) -> Any:
    return obj["metadata"].get("uid")


def _number(version: Any) -> int:
    # Versions of one kind are integers that grow, for every storage Kubernetes has ever had and
    # by promise since 1.35.
    return int(version) if isinstance(version, str) and version.isdecimal() else 0
