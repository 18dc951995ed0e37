"""Answers requests for the stub of bench/controller_stub.py."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sparktest.merge_patch import merge_patch

if TYPE_CHECKING:
    from bench.controller_stub import Stub

Object = dict[str, Any]
# What a controller asks for.
UNFINISHED = ("pending", "running")
STREAM = "text/event-stream"


class Server(ThreadingHTTPServer):
    """A server of daemon threads."""

    stub: "Stub"
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""


class Handler(BaseHTTPRequestHandler):
    """Handles one connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        """Write nothing to stderr."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.body = data
        path = parts.path.strip("/").split("/")
        if path[:2] == ["api", "v1"] or path[0] == "apis":
            self._kubernetes(path[2:] if path[0] == "api" else path[3:])
        else:
            self._sparktest(path[1:])

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

    # --- Kubernetes ------------------------------------------------------------------------------

    def _kubernetes(self, path: list[str]) -> None:
        namespace = path[1] if path[0] == "namespaces" else ""
        if path == ["namespaces", "kube-system"]:
            self._send({"metadata": {"name": "kube-system", "uid": "stub"}})
            return
        kind, *rest = path[2:] if namespace else path
        if self.command == "GET" and rest[1:] == ["log"]:
            self._log()
        elif self.query.get("watch"):
            self._watch(kind)
        elif self.command == "GET" and not rest:
            self._list(kind)
        elif self.command == "GET":
            found = self.server.stub.objects[kind].get(f"{namespace}/{rest[0]}")
            self._send_bytes(found) if found else self._send({"code": 404}, 404)
        else:
            self.server.stub.wrote(self.command, kind, self.path)
            self._write(kind, namespace, rest)

    def _list(self, kind: str) -> None:
        stub, start = self.server.stub, int(self.query.get("continue") or 0)
        # Nothing reads the pods of a single run but a reload; none are found.
        selected = "job-name=" in self.query.get("labelSelector", "")
        objects = [] if selected else list(stub.objects[kind].values())
        end = start + int(self.query.get("limit") or len(objects))
        more = b',"continue":"%d"' % end if end < len(objects) else b""
        version = stub.version.encode()
        head = b'{"metadata":{"resourceVersion":"%b"%b},"items":[' % (version, more)
        self._send_bytes(head + b",".join(objects[start:end]) + b"]}")

    def _watch(self, kind: str) -> None:
        self._begin_chunks("application/json")
        with self.server.stub.watching(kind) as watch:
            while (lines := watch.get()) is not None:
                self._chunk(lines)

    def _log(self) -> None:
        self._begin_chunks("text/plain")
        self._chunk(b"2026-01-01T00:00:00.000000001Z one line\n")
        self.server.stub.closing.wait()

    def _write(self, kind: str, namespace: str, rest: list[str]) -> None:
        stub = self.server.stub
        body = json.loads(self.body) if self.body else {}
        if self.command == "POST":
            body["metadata"].setdefault("uid", f"uid-{stub.next_version()}")
            body["metadata"].setdefault("namespace", namespace)
            self._send(stub.put(kind, body), 201)
            if kind == "jobs":
                stub.job_created()
            return
        obj = json.loads(stub.objects[kind][f"{namespace}/{rest[0]}"])
        if self.command == "PATCH" and isinstance(body, list):
            for step in body:
                _apply(obj, step)
        elif self.command == "PATCH":
            obj = merge_patch(obj, body)
        self._send(stub.put(kind, obj))

    # --- SparkTest -------------------------------------------------------------------------------

    def _sparktest(self, path: list[str]) -> None:
        stub, rest = self.server.stub, path[1:]
        name = f"{self.command} {'/'.join(rest[1:]) or ('run' if rest else 'runs')}"
        stub.requests[name] = stub.requests.get(name, 0) + 1
        if rest == ["events"]:
            self._events()
        elif path[0].endswith(":missing"):
            self._send({"ids": []})
        elif self.command == "GET" and not rest:
            self._list_runs()
        elif self.command == "POST" and not rest:
            self._register(json.loads(self.body)["k8sRef"])
        elif rest[1:2] == ["logs"]:
            self._send({"bytes": int(self.query["offset"]) + len(self.body)})
        else:
            self._run(rest)

    def _register(self, reference: Object) -> None:
        runs = list(self.server.stub.runs.values())
        found = next((run for run in runs if run["k8sRef"] == reference), None)
        self._send(found) if found else self._not_found()

    def _not_found(self) -> None:
        self._send({"status": 404, "title": "Not Found", "detail": "no such run"}, 404)

    def _list_runs(self) -> None:
        runs = [run for run in self.server.stub.runs.values() if run["status"] in UNFINISHED]
        if "updatedSince" in self.query:
            runs = []
        limit, start = int(self.query["limit"]), int(self.query.get("cursor") or 0)
        end = start + limit
        link = f'</api/test-runs?cursor={end}>; rel="next"' if end < len(runs) else ""
        self._send_bytes(json.dumps(runs[start:end]).encode(), headers={"Link": link})

    def _run(self, rest: list[str]) -> None:
        run = self.server.stub.runs.get(rest[0])
        if run is None:
            self._not_found()
            return
        if self.command == "PUT":
            body = json.loads(self.body)
            run |= {name: body[name] for name in ("status", "jobUid", "cluster") if name in body}
            run["version"] = run.get("version", 1) + 1
        self._send(run)

    def _events(self) -> None:
        self._begin_chunks(STREAM)
        self._chunk(b": stub\nretry: 2000\nid: 1\n\n")
        while not self.server.stub.closing.wait(15.0):
            self._chunk(b": heartbeat\nid: 1\n\n")

    # --- responses -------------------------------------------------------------------------------

    def _send(self, document: Any, status: int = 200) -> None:
        self._send_bytes(json.dumps(document).encode(), status)

    def _send_bytes(
        self, data: bytes, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        kind = "application/json" if status < 300 else "application/problem+json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.server.stub.sent_bytes += len(data)

    def _begin_chunks(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()
        self.server.stub.sent_bytes += len(data)


def _apply(obj: Object, step: Object) -> None:
    """Apply a step of a JSON patch; its tests always succeed."""
    *path, last = step["path"].strip("/").split("/")
    target: Any = obj
    for part in path:
        target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
    if step["op"] == "add" and isinstance(target, list):
        target.insert(len(target) if last == "-" else int(last), step["value"])
    elif step["op"] == "add":
        target[last] = step["value"]
    elif step["op"] == "remove":
        target.pop(int(last) if isinstance(target, list) else last)
