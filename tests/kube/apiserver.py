"""A fake Kubernetes API on a loopback port: TestRuns in memory, and any fault on demand."""

import json
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import yaml

from sparktest.kube.cluster import Cluster
from sparktest.kube.transport import Timeouts
from sparktest.settings import Settings
from tests.kube.faults import Exchange, Fault, refuse, reply

FAST = Timeouts(connect=5.0, read=1.0, watch=1.0)


class Request(NamedTuple):
    """A received request, with header names in lower case and the client's port."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    port: int


class Apiserver:
    """The server.

    Attributes:
        requests: the received requests.
        faults: each of them answers one of the next requests.
        watching: the number of open watches.
        lock: while a test holds it, the server sends no event and no list.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.closing = threading.Event()
        self.installed = True
        self.watching = 0
        self.lock = threading.Condition()
        self._objects: dict[tuple[str, str], dict[str, Any]] = {}
        self._log: list[tuple[int, str, dict[str, Any]]] = []
        self._version = 100
        self._oldest = 0
        self._cuts = 0
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop the server and end every open response."""
        self.closing.set()
        with self.lock:
            self.lock.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def kubeconfig(self, path: Path, *, user: dict[str, Any] | None = None) -> Path:
        """Write a kubeconfig for this server and return its path."""
        document = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": user or {"token": "first"}}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    # --- the objects -----------------------------------------------------------------------------

    def put(self, name: str, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
        """Create or change an object and return it."""
        with self.lock:
            known = (namespace, name) in self._objects
            self._version += 1
            obj = {
                "apiVersion": "sparktest.dev/v1alpha1",
                "kind": "TestRun",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "uid": f"uid-{name}",
                    "resourceVersion": str(self._version),
                    **metadata,
                },
            }
            self._objects[namespace, name] = obj
            self._record("MODIFIED" if known else "ADDED", obj)
            return obj

    def remove(self, name: str, namespace: str = "default") -> None:
        """Delete the object."""
        with self.lock:
            obj = self._objects.pop((namespace, name))
            self._version += 1
            last = obj["metadata"] | {"resourceVersion": str(self._version)}
            self._record("DELETED", obj | {"metadata": last})

    def send(self, kind: str, obj: Any) -> None:
        """Send any event to every watch."""
        with self.lock:
            self._version += 1
            self._record(kind, obj)

    def forget(self) -> None:
        """Answer with 410 to watches from any version up to the current one."""
        with self.lock:
            self._version += 1
            self._oldest = self._version

    def cut(self) -> None:
        """Break the connection of every open watch."""
        with self.lock:
            self._cuts += 1
            self.lock.notify_all()

    @contextmanager
    def unseen(self) -> Iterator[None]:
        """Cut all watches, and do not send them the changes in this block."""
        with self.lock:
            self._cuts += 1
            yield
            self._log.clear()
            self.lock.notify_all()

    def _record(self, kind: str, obj: Any) -> None:
        self._log.append((self._version, kind, obj))
        self.lock.notify_all()

    def answer(self, handler: Exchange, request: Request) -> None:
        """Answer like an API server without faults."""
        if not self.installed or "testruns" not in request.path:
            refuse(404, "the server could not find the requested resource")(handler)
        elif request.query.get("watch"):
            self._watch(handler, int(request.query["resourceVersion"]))
        else:
            self._list(handler, request.query)

    def _list(self, handler: Exchange, query: dict[str, str]) -> None:
        with self.lock:
            objects = list(self._objects.values())
            version = self._version
        start = int(query.get("continue") or 0)
        end = start + int(query["limit"])
        more = {"continue": str(end)} if end < len(objects) else {}
        page = {"metadata": {"resourceVersion": str(version), **more}, "items": objects[start:end]}
        reply(json.dumps(page).encode())(handler)

    def _watch(self, handler: Exchange, version: int) -> None:
        if version < self._oldest:
            refuse(410, "too old resource version")(handler)
            return
        handler.begin_chunks()
        handler.close_connection = True
        with self.lock:
            self.watching += 1
            try:
                self._send_events(handler, version)
            finally:
                self.watching -= 1

    def _send_events(self, handler: Exchange, version: int) -> None:
        cuts, position = self._cuts, 0
        while not self.closing.is_set():
            for at, kind, obj in self._log[position:]:
                if at > version:
                    handler.chunk(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
            position = len(self._log)
            if self._cuts > cuts:
                return
            self.lock.wait()


class Server(ThreadingHTTPServer):
    """A server of daemon threads that ignores clients which disconnect."""

    api: Apiserver
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(Exchange):
    """Handles one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def api(self) -> Apiserver:
        return self.server.api

    @property
    def closing(self) -> threading.Event:  # type: ignore[override]
        return self.server.api.closing

    def log_message(self, *_: Any) -> None:
        """Write nothing to stderr."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(data) if data else None,
            port=self.client_address[1],
        )
        self.api.requests.append(request)
        if self.api.faults:
            self.api.faults.popleft()(self)
        else:
            self.api.answer(self, request)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815


@contextmanager
def apiserver() -> Iterator[Apiserver]:
    """Run a server."""
    server = Apiserver()
    try:
        yield server
    finally:
        server.stop()


def cluster_of(kubeconfig: Path, timeouts: Timeouts = FAST) -> Cluster:
    """Return a client of the kubeconfig's cluster, with short timeouts."""
    return Cluster.connect(Settings(kubeconfig=str(kubeconfig)), workers=2, timeouts=timeouts)
