"""Stub: the Kubernetes API and the SparkTest API that a controller talks to, in one HTTP server.

It keeps the JSON of objects and answers lists, watches, writes and runs; no controller of
Kubernetes is behind it, so nothing changes by itself. It runs in the process of the benchmark; the
controller is a process of its own, so that memory and CPU time are the controller's alone.
"""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench.controller_stub_handler import Handler, Server

Object = dict[str, Any]
KINDS = ("testruns", "jobs", "pods", "events")


class Write(NamedTuple):
    """A write to the Kubernetes API."""

    method: str
    kind: str
    path: str


class Stub:
    """The server.

    Attributes:
        objects: the JSON of the objects, by kind and by name with namespace.
        runs: the documents of the runs, by id.
        writes: all writes to the Kubernetes API, in order.
        requests: how many requests the SparkTest API has answered, by method and last part.
        sent_bytes: how many bytes of bodies were sent.
        job_created: called in a thread of the server when a Job is created.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, bytes]] = {kind: {} for kind in KINDS}
        self.runs: dict[str, Object] = {}
        self.writes: list[Write] = []
        self.requests: dict[str, int] = {}
        self.sent_bytes = 0
        self.closing = threading.Event()
        self.job_created: Any = lambda: None
        self._version = 1000
        self._lock = threading.Lock()
        self._watches: dict[str, list[queue.SimpleQueue[bytes | None]]] = {k: [] for k in KINDS}
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL of both APIs."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End every response and the server."""
        self.closing.set()
        with self._lock:
            for watch in [watch for watches in self._watches.values() for watch in watches]:
                watch.put(None)
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig for the stub; return its path."""
        path = folder / "kubeconfig"
        document = {
            "current-context": "stub",
            "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "stub"}}],
            "clusters": [{"name": "stub", "cluster": {"server": self.url}}],
            "users": [{"name": "stub", "user": {"token": "stub"}}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    @property
    def version(self) -> str:
        """The newest resourceVersion."""
        return str(self._version)

    def next_version(self) -> str:
        """Return a resourceVersion that is newer than all before."""
        with self._lock:
            self._version += 1
            return str(self._version)

    def put(self, kind: str, obj: Object) -> Object:
        """Store an object as its next version, and send it to the watches."""
        obj["metadata"]["resourceVersion"] = self.next_version()
        name = _name(obj)
        event = "MODIFIED" if name in self.objects[kind] else "ADDED"
        self.objects[kind][name] = data = json.dumps(obj).encode()
        self.send(kind, event, data)
        return obj

    def send(self, kind: str, event: str, *objects: bytes) -> None:
        """Send an event of this type for every object to the watches of the kind."""
        lines = b"".join(b'{"type":"%s","object":%s}\n' % (event.encode(), o) for o in objects)
        with self._lock:
            watches = list(self._watches[kind])
        for watch in watches:
            watch.put(lines)

    def wrote(self, method: str, kind: str, path: str) -> None:
        """Record a write to the Kubernetes API."""
        self.writes.append(Write(method, kind, path))

    def is_watched(self) -> bool:
        """Return True when every kind that the controller reads has a watch."""
        return all(self._watches[kind] for kind in ("testruns", "jobs", "pods"))

    def pending_bytes(self) -> int:
        """Return the number of parts of events that no watch has sent yet."""
        return sum(watch.qsize() for watches in self._watches.values() for watch in watches)

    @contextmanager
    def watching(self, kind: str) -> Iterator["queue.SimpleQueue[bytes | None]"]:
        """Yield the queue of a new watch."""
        watch: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            self._watches[kind].append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches[kind].remove(watch)


def _name(obj: Object) -> str:
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"
