"""Store: the objects of one kind by name, never replaced by an older version."""

import threading
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]


def key_of(obj: Any) -> Key | None:
    """The namespace ("" where the kind has none) and name; None for what has no usable one."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace", "")
    if isinstance(name, str) and name and isinstance(namespace, str):
        return namespace, name
    return None


class Store:
    """What a list and its watch said last; threads may share it.

    `version` is the resourceVersion up to which everything has been seen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[Key, Object] = {}
        self.version = ""

    def get(self, key: Key) -> Object | None:
        """The object, None where there is none."""
        return self._objects.get(key)

    def items(self) -> list[Object]:
        """All objects."""
        with self._lock:
            return list(self._objects.values())

    def put(self, obj: Object) -> bool:
        """Whether the answer to a write was news.

        One that is not in the store although everything up to its version has been seen was
        deleted since; keeping it would bring back a ghost.
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
        """What an event of the watch changed, as `replace` does; `version` moves on in any case."""
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
        """Take over a whole list; answers the new, the changed, and the last of the deleted.

        One that was deleted and made again under its name counts as both. What was put after
        the list was read stays.
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
        """Everything up to the version of this bookmark has been seen."""
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
