"""The store: all objects with their versions, in SQLite and in memory, and the latest events.

An object is kept as the JSON that clients receive: it takes a third of the memory of Python
objects, and a list is answered by joining these bytes.
"""

import sqlite3
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent, stored_object
from sparktest.errors import UnavailableError

TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS version (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL);
INSERT OR IGNORE INTO version VALUES (1, 1);
"""
DELETE = "DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?"
PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)"

# Events kept per kind. A watch that is further behind has to list again.
MAX_EVENTS = 2000

Subscriber = Callable[[WatchEvent], None]


class History:
    """The latest events of one kind. It is complete after version `floor`."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._events: list[WatchEvent] = []
        self._changed = threading.Condition()

    def add(self, event: WatchEvent) -> None:
        """Append an event and wake the waiting watches."""
        with self._changed:
            self._events.append(event)
            if len(self._events) > 2 * MAX_EVENTS:
                self.discard(self._events[MAX_EVENTS - 1].object.version)
            self._changed.notify_all()

    def discard(self, version: int) -> None:
        """Drop the events up to a version: a watch from before it has to list again."""
        with self._changed:
            self.floor = max(self.floor, version)
            del self._events[: bisect_right(self._events, version, key=_version)]
            self._changed.notify_all()

    def after(self, version: int, timeout: float) -> list[WatchEvent] | None:
        """Return the events after a version; wait up to `timeout` seconds for the first.

        None: some of them are no longer kept.
        """
        with self._changed:
            found = self._after(version)
            if found == []:
                self._changed.wait(timeout)
                found = self._after(version)
            return found

    def _after(self, version: int) -> list[WatchEvent] | None:
        if version < self.floor:
            return None
        return self._events[bisect_right(self._events, version, key=_version) :]


def _version(event: WatchEvent) -> int:
    return event.object.version


class Store:
    """All objects. Writes take `lock`; reads need no lock.

    Raises:
        UnavailableError: the file cannot be opened, or is not a database of the dev cluster.
    """

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._database = _open(path)
        self.version: int = self._database.execute("SELECT value FROM version").fetchone()[0]
        self._floor = self.version
        self._kinds: defaultdict[str, dict[tuple[str, str], StoredObject]] = defaultdict(dict)
        self._uids: dict[str, StoredObject] = {}
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        self._histories: dict[str, History] = {}
        self._subscribers: list[Subscriber] = []
        for kind, raw in self._database.execute("SELECT kind, raw FROM objects"):
            self._index(stored_object(kind, msgspec.json.decode(raw), raw))

    def close(self) -> None:
        """Close the database; no write is possible afterwards."""
        with self.lock:
            self._database.close()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` after every write, in order, in the thread of the writer.

        It must return quickly.
        """
        self._subscribers.append(subscriber)

    def get(self, kind: str, namespace: str, name: str) -> StoredObject | None:
        """Return the current version of an object, or None."""
        return self._kinds[kind].get((namespace, name))

    def objects(self, kind: str, namespace: str = "") -> list[StoredObject]:
        """Return the objects of a kind by namespace and name; "" means all namespaces."""
        with self.lock:
            objects = self._kinds[kind].copy()
        keys = sorted(key for key in objects if not namespace or key[0] == namespace)
        return [objects[key] for key in keys]

    def by_uid(self, uid: str) -> StoredObject | None:
        """Return the object with this uid, or None."""
        return self._uids.get(uid)

    def dependents(self, uid: str) -> list[StoredObject]:
        """Return the objects that have an owner with this uid."""
        with self.lock:
            found = [self._uids.get(dependent) for dependent in self._dependents.get(uid, ())]
        return [stored for stored in found if stored]

    def put(self, kind: str, obj: Object) -> StoredObject:
        """Store an object under the next version, in place of the one with its name."""
        with self.lock:
            meta = obj["metadata"]
            before = self.get(kind, meta.get("namespace", ""), meta["name"])
            stored = self._next_version(kind, obj)
            self._save(stored)
            self._index(stored)
            self._notify(WatchEvent("MODIFIED" if before else "ADDED", stored, before))
            return stored

    def remove(self, kind: str, obj: Object) -> StoredObject:
        """Remove an object; return its last state under the next version."""
        with self.lock:
            meta = obj["metadata"]
            stored = self._next_version(kind, obj)
            self._save(stored, removed=True)
            before = self._kinds[kind].pop((meta.get("namespace", ""), meta["name"]), None)
            if before:
                self._unindex(before)
            self._notify(WatchEvent("DELETED", stored, before))
            return stored

    def history(self, kind: str) -> History:
        """Return the events of a kind since this process started."""
        with self.lock:
            if kind not in self._histories:
                self._histories[kind] = History(self._floor)
            return self._histories[kind]

    def clear(self, kept: Callable[[StoredObject], bool]) -> None:
        """Remove the objects that `kept` rejects, without events: for a store without clients."""
        gone = [stored for stored in self._uids.values() if not kept(stored)]
        with self.lock, self._database as database:
            database.execute("BEGIN")
            database.executemany(DELETE, [stored.key for stored in gone])
        for stored in gone:
            del self._kinds[stored.kind][stored.namespace, stored.name]
            self._unindex(stored)

    def _next_version(self, kind: str, obj: Object) -> StoredObject:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        return stored_object(kind, obj, msgspec.json.encode(obj))

    def _save(self, stored: StoredObject, *, removed: bool = False) -> None:
        try:
            with self._database as database:  # committed at its end, or not at all
                database.execute("BEGIN")
                if removed:
                    database.execute(DELETE, stored.key)
                else:
                    database.execute(PUT, (*stored.key, stored.raw))
                database.execute("UPDATE version SET value = ?", (self.version,))
        except sqlite3.Error as error:
            text = f"the dev cluster cannot store the object: {error}"
            raise StatusError(500, "InternalError", text) from error

    def _index(self, stored: StoredObject) -> None:
        before = self._kinds[stored.kind].get((stored.namespace, stored.name))
        if before:
            self._unindex(before)
        self._kinds[stored.kind][(stored.namespace, stored.name)] = stored
        self._uids[stored.uid] = stored
        for owner in stored.owners:
            self._dependents[owner].add(stored.uid)

    def _unindex(self, stored: StoredObject) -> None:
        self._uids.pop(stored.uid, None)
        for owner in stored.owners:
            uids = self._dependents[owner]
            uids.discard(stored.uid)
            if not uids:
                del self._dependents[owner]

    def _notify(self, event: WatchEvent) -> None:
        self.history(event.object.kind).add(event)
        for subscriber in self._subscribers:
            subscriber(event)


def _open(path: Path) -> sqlite3.Connection:
    database = None
    try:
        path.touch(mode=0o600)  # before SQLite writes: its -wal and -shm files take the same mode
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # A commit survives a crash of this process; a crash of the machine may lose the last ones.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(TABLES)
    except sqlite3.DatabaseError as error:
        if database:
            database.close()
        text = f"{path}: {error}; sparktest devcluster reset deletes it"
        raise UnavailableError(text) from error
    return database
