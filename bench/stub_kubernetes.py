"""A stand-in for a Kubernetes cluster: `python -m bench.stub_kubernetes PORT TEST_SECONDS`.

It stores objects of any kind, serves watches, and plays Job controller and kubelet: a Job and its
pod change 11 times, as in Kubernetes 1.34, and the pod writes two pieces of log. POST /bench/apply
creates TestRuns, and GET /bench/state returns what became of them.
"""

import asyncio
import collections
import itertools
import sys
import time
from collections.abc import Coroutine
from typing import Any

import msgspec

from bench.stub_objects import (
    MANAGED_FIELDS,
    job_status,
    json_patch,
    list_of,
    new_pod,
    new_testrun,
    now,
    pod_status,
    resource_lists,
)
from bench.stub_server import Request, Response, Stream, serve
from sparktest.merge_patch import merge_patch

Object = dict[str, Any]
TESTRUNS, JOBS, PODS = "testruns", "jobs", "pods"
FINAL = ("Succeeded", "Failed", "TimedOut", "Cancelled")
# Delays between the changes of a Job and its pod; the test itself takes what the caller says.
STEP_SECONDS = 0.003
LOG_LINES = 10


class StubKubernetes:
    """Objects by kind and name, their watches, and the log streams of running pods."""

    def __init__(self, test_seconds: float) -> None:
        self._test_seconds = test_seconds
        self._objects: dict[str, dict[tuple[str, str], Object]] = collections.defaultdict(dict)
        self._changes: dict[str, list[tuple[int, bytes]]] = collections.defaultdict(list)
        self._watches: dict[str, list[Stream]] = collections.defaultdict(list)
        self._followers: dict[str, list[Stream]] = {}
        self._logs: dict[str, bytes] = {}
        self._versions = itertools.count(1000)
        self._version = 1000
        # The event loop itself keeps no reference to its tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        self.writes: collections.Counter[str] = collections.Counter()
        self.reads: collections.Counter[str] = collections.Counter()
        # Of a TestRun: when it was applied, its Job was posted, and its status became final.
        self._times: dict[str, list[float]] = {}
        system = {
            "metadata": {"name": "kube-system", "uid": "5e7bb3e6-0000-4000-8000-000000000000"}
        }
        self._put("namespaces", system)

    # --- requests --------------------------------------------------------------------------------

    def respond(self, request: Request) -> Response | Stream:
        """Answer a request."""
        if request.path == "/bench/apply":
            self._start(self._apply(**msgspec.json.decode(request.body)))
            return _json(200, {})
        if request.path == "/bench/state":
            times = list(self._times.values())
            return _json(200, {"times": times, "writes": self.writes, "reads": self.reads})
        parts = request.path.strip("/").split("/")
        if (found := resource_lists(parts)) is not None:
            return _json(200, found)
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        kind, name, subresource = [*parts, "", ""][:3]
        if request.method == "GET":
            self.reads[subresource or (kind if name else f"list {kind}")] += 1
            return self._read(request, kind, (namespace, name), subresource)
        self.writes[f"{request.method} {subresource or kind}"] += 1
        return self._write(request, kind, (namespace, name), subresource)

    def _read(
        self, request: Request, kind: str, key: tuple[str, str], subresource: str
    ) -> Response | Stream:
        if subresource == "log":
            return self._log(key[1], stamped="timestamps" in request.query)
        if key[1]:
            found = self._objects[kind].get(key)
            return _json(200, found) if found else _status(404)
        if request.query.get("watch"):
            return self._watch(kind, int(request.query.get("resourceVersion") or 0))
        wanted = request.query.get("labelSelector", "").removeprefix("job-name=")
        items = [
            obj
            for obj in self._objects[kind].values()
            if kind != PODS or "=" in wanted or obj["metadata"]["labels"]["job-name"] == wanted
        ]
        return _json(200, list_of(kind, items, self._version))

    def _watch(self, kind: str, since: int) -> Stream:
        stream = Stream()
        for version, event in self._changes[kind]:
            if version > since:
                stream.write(event)
        self._watches[kind].append(stream)
        return stream

    def _log(self, pod: str, *, stamped: bool) -> Stream:
        stream = Stream()
        _write_log(stream, self._logs.get(pod, b""), stamped=stamped)
        if pod in self._followers:
            stream.stamped = stamped
            self._followers[pod].append(stream)
        else:
            stream.close()
        return stream

    def _write(
        self, request: Request, kind: str, key: tuple[str, str], subresource: str
    ) -> Response:
        body = msgspec.json.decode(request.body) if request.body else {}
        if request.method == "POST":
            name = body["metadata"]["name"]
            if (key[0], name) in self._objects[kind]:
                return _status(409)
            return _json(201, self._create(kind, key[0], body))
        old = self._objects[kind].get(key)
        if old is None:
            return _status(404)
        if request.method == "DELETE":
            del self._objects[kind][key]
            self._changed(kind, "DELETED", old)
            return _json(200, old)
        try:
            obj = json_patch(old, body) if isinstance(body, list) else merge_patch(old, body)
        except ValueError:
            return _status(422)
        if request.method == "PUT":
            obj = body
        return _json(200, self._put(kind, obj))

    # --- objects ---------------------------------------------------------------------------------

    def _create(self, kind: str, namespace: str, obj: Object) -> Object:
        metadata = obj["metadata"]
        number = next(self._versions)
        metadata |= {"namespace": namespace, "creationTimestamp": now(), "generation": 1}
        metadata |= {
            "uid": f"{number:08x}-1111-4000-8000-000000000000",
            "managedFields": MANAGED_FIELDS,
        }
        if kind == JOBS:
            obj["status"] = {}
            owner = metadata["ownerReferences"][0]["uid"]
            self._times[owner].append(time.monotonic())
            self._start(self._run(self._put(kind, obj)))
            return obj
        return self._put(kind, obj)

    def _put(self, kind: str, obj: Object) -> Object:
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        added = key not in self._objects[kind]
        self._version = next(self._versions)
        metadata["resourceVersion"] = str(self._version)
        self._objects[kind][key] = obj
        self._changed(kind, "ADDED" if added else "MODIFIED", obj)
        times = self._times.get(metadata.get("uid", ""), [])
        if kind == TESTRUNS and obj.get("status", {}).get("phase") in FINAL and len(times) == 2:
            times.append(time.monotonic())
        return obj

    def _changed(self, kind: str, change: str, obj: Object) -> None:
        event = msgspec.json.encode({"type": change, "object": obj}) + b"\n"
        self._changes[kind].append((self._version, event))
        self._watches[kind] = [stream for stream in self._watches[kind] if not stream.closed]
        for stream in self._watches[kind]:
            stream.write(event)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- users, the Job controller and the kubelet -----------------------------------------------

    async def _apply(self, count: int, per_second: float, prefix: str) -> None:
        start = time.monotonic()
        for number in range(count):
            if per_second:
                await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
            testrun = self._create(TESTRUNS, "default", new_testrun(f"{prefix}-{number}"))
            self._times[testrun["metadata"]["uid"]] = [time.monotonic()]

    async def _run(self, job: Object) -> None:
        pod = new_pod(job)
        name = pod["metadata"]["name"]
        await asyncio.sleep(STEP_SECONDS)
        self._job(job, "started")
        self._create(PODS, "default", pod)
        for state in ("scheduled", "creating"):
            await asyncio.sleep(STEP_SECONDS)
            self._pod(pod, state)
        await asyncio.sleep(STEP_SECONDS)
        self._followers[name] = []
        self._print(name)
        self._pod(pod, "running")
        self._job(job, "ready")
        await asyncio.sleep(self._test_seconds)
        self._print(name)
        self._pod(pod, "terminated")
        for stream in self._followers.pop(name):
            stream.close()
        await asyncio.sleep(STEP_SECONDS)
        self._pod(pod, "succeeded")
        self._job(job, "uncounted")
        await asyncio.sleep(STEP_SECONDS)
        self._job(job, "criteria")
        self._job(job, "complete")

    def _job(self, job: Object, state: str) -> None:
        current = self._objects[JOBS].get(("default", job["metadata"]["name"]))
        if current:
            self._put(
                JOBS,
                {
                    **current,
                    "metadata": {**current["metadata"]},
                    "status": {**current["status"], **job_status(state)},
                },
            )

    def _pod(self, pod: Object, state: str) -> None:
        current = self._objects[PODS].get(("default", pod["metadata"]["name"]))
        if current:
            self._put(
                PODS, {**current, "metadata": {**current["metadata"]}, **pod_status(current, state)}
            )

    def _print(self, pod: str) -> None:
        lines = b"".join(b"line %d of the test\n" % number for number in range(LOG_LINES))
        self._logs[pod] = self._logs.get(pod, b"") + lines
        for stream in self._followers.get(pod, []):
            _write_log(stream, lines, stamped=stream.stamped)


def _write_log(stream: Stream, lines: bytes, *, stamped: bool) -> None:
    # The kubelet sends every line as a chunk.
    stamp = f"{now()[:-1]}.000000000Z ".encode() if stamped else b""
    for line in lines.splitlines(keepends=True):
        stream.write(stamp + line)


def _json(status: int, value: Any) -> Response:
    return Response(status, msgspec.json.encode(value))


def _status(code: int) -> Response:
    reason = {404: "NotFound", 409: "AlreadyExists", 422: "Invalid"}[code]
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason}
    return _json(code, {**body, "message": reason, "code": code})


if __name__ == "__main__":
    stub = StubKubernetes(float(sys.argv[2]))
    asyncio.run(serve(int(sys.argv[1]), stub.respond))
