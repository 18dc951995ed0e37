"""The store: every object with its version, on disk and in memory, and what happened lately.

An object is kept as the JSON that clients get; that takes a third of the memory of the same in
Python, and a list is answered by joining what is there.
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.entries import Entry, Event, Object, entry_of
from sparktest.devcluster.history import History
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

Subscriber = Callable[[Event], None]


class Store:
    """All objects. One write at a time, under `lock`; reads need none.

    Raises:
        UnavailableError: the file cannot be opened, or is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        self._database = _opened(path)
        self.version: int = self._database.execute("SELECT value FROM version").fetchone()[0]
        self._floor = self.version
        self._kinds: defaultdict[str, dict[tuple[str, str], Entry]] = defaultdict(dict)
        self._uids: dict[str, Entry] = {}
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)
        self._histories: dict[str, History] = {}
        self._subscribers: list[Subscriber] = []
        for kind, raw in self._database.execute("SELECT kind, raw FROM objects"):
            self._index(entry_of(kind, msgspec.json.decode(raw), raw))

    def close(self) -> None:
        """Let go of the file; nothing can be written after."""
        with self.lock:
            self._database.close()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have every write told, in order, in the writer's thread: it must not take long."""
        self._subscribers.append(subscriber)

    def get(self, kind: str, namespace: str, name: str) -> Entry | None:
        """The object's last version."""
        return self._kinds[kind].get((namespace, name))

    def entries(self, kind: str, namespace: str = "") -> list[Entry]:
        """The objects of a kind, of all namespaces unless one is given, by namespace and name."""
        with self.lock:
            entries = self._kinds[kind].copy()
        keys = sorted(key for key in entries if not namespace or key[0] == namespace)
        return [entries[key] for key in keys]

    def by_uid(self, uid: str) -> Entry | None:
        """The object that has this uid."""
        return self._uids.get(uid)

    def dependents(self, uid: str) -> list[Entry]:
        """The objects that name this uid as an owner."""
        with self.lock:
            found = [self._uids.get(dependent) for dependent in self._dependents.get(uid, ())]
        return [entry for entry in found if entry]

    def put(self, kind: str, obj: Object) -> Entry:
        """The object as written, in place of the one of its name; it gets the next version."""
        with self.lock:
            meta = obj["metadata"]
            before = self.get(kind, meta.get("namespace", ""), meta["name"])
            entry = self._stamped(kind, obj)
            self._save(entry)
            self._index(entry)
            self._tell(Event("MODIFIED" if before else "ADDED", entry, before))
            return entry

    def remove(self, kind: str, obj: Object) -> Entry:
        """The object's last version, which is no longer there."""
        with self.lock:
            meta = obj["metadata"]
            entry = self._stamped(kind, obj)
            self._save(entry, gone=True)
            before = self._kinds[kind].pop((meta.get("namespace", ""), meta["name"]), None)
            if before:
                self._forget(before)
            self._tell(Event("DELETED", entry, before))
            return entry

    def history(self, kind: str) -> History:
        """What happened to the objects of a kind since this process started."""
        with self.lock:
            if kind not in self._histories:
                self._histories[kind] = History(self._floor)
            return self._histories[kind]

    def clear(self, kept: Callable[[Entry], bool]) -> None:
        """Forget all objects but some, without a word to anybody: for a store nobody else uses."""
        gone = [entry for entry in self._uids.values() if not kept(entry)]
        with self.lock, self._database as database:
            database.execute("BEGIN")
            database.executemany(DELETE, [entry.place for entry in gone])
        for entry in gone:
            del self._kinds[entry.kind][entry.namespace, entry.name]
            self._forget(entry)

    def _stamped(self, kind: str, obj: Object) -> Entry:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        return entry_of(kind, obj, msgspec.json.encode(obj))

    def _save(self, entry: Entry, *, gone: bool = False) -> None:
        try:
            with self._database as database:  # committed at its end, or not at all
                database.execute("BEGIN")
                if gone:
                    database.execute(DELETE, entry.place)
                else:
                    database.execute(PUT, (*entry.place, entry.raw))
                database.execute("UPDATE version SET value = ?", (self.version,))
        except sqlite3.Error as error:
            text = f"the dev cluster cannot store it: {error}"
            raise StatusError(500, "InternalError", text) from error

    def _index(self, entry: Entry) -> None:
        before = self._kinds[entry.kind].get((entry.namespace, entry.name))
        if before:
            self._forget(before)
        self._kinds[entry.kind][(entry.namespace, entry.name)] = entry
        self._uids[entry.uid] = entry
        for owner in entry.owners:
            self._dependents[owner].add(entry.uid)

    def _forget(self, entry: Entry) -> None:
        self._uids.pop(entry.uid, None)
        for owner in entry.owners:
            known = self._dependents[owner]
            known.discard(entry.uid)
            if not known:
                del self._dependents[owner]

    def _tell(self, event: Event) -> None:
        self.history(event.entry.kind).add(event)
        for subscriber in self._subscribers:
            subscriber(event)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.touch(mode=0o600)  # before it holds anything; the files beside it follow it
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    try:
        # A commit survives the death of this process; that of the machine may lose the last.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(TABLES)
    except sqlite3.DatabaseError as error:
        database.close()
        raise _unusable(path, error) from error
    return database


def _unusable(path: Path, error: sqlite3.DatabaseError) -> UnavailableError:
    return UnavailableError(f"{path}: {error}; sparktest devcluster reset forgets what is in it")
