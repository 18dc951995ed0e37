"""A stand-in for the SparkTest API: `python -m bench.stub_api PORT`.

It keeps runs in memory, and only what a controller of TestRuns asks for. /bench/state returns the
number of writes by kind.
"""

import asyncio
import collections
import itertools
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.stub_server import Request, Response, serve
from sparktest.domain import RunReport
from sparktest.kube.jobs import job_name_of_testrun

Object = dict[str, Any]
FINAL = ("succeeded", "failed", "timed_out", "cancelled")


class StubApi:
    """Runs by id, and by the uid of their TestRun."""

    def __init__(self) -> None:
        self._runs: dict[str, Object] = {}
        self._unfinished: dict[str, Object] = {}
        self._by_uid: dict[str, Object] = {}
        self._logs: collections.Counter[tuple[str, str]] = collections.Counter()
        self._ids = itertools.count(1)
        self.writes: collections.Counter[str] = collections.Counter()
        self.reads: collections.Counter[str] = collections.Counter()

    def respond(self, request: Request) -> Response:
        """Answer a request."""
        if request.path == "/bench/state":
            logs = {
                key: sum(each for (run, _), each in self._logs.items() if run == key)
                for key in self._runs
            }
            incomplete = [
                key
                for key, run in self._runs.items()
                if run.get("log", {}).get("bytes") != logs[key]
            ]
            found = {"writes": self.writes, "reads": self.reads, "incomplete": incomplete}
            return _json(200, found)
        parts = request.path.removeprefix("/api/test-runs").strip("/").split("/")
        if request.method == "GET":
            self.reads[_kind(parts)] += 1
            return self._read(request, parts)
        self.writes[_kind(parts)] += 1
        return self._write(request, parts)

    def _read(self, request: Request, parts: list[str]) -> Response:
        if not request.path.startswith("/api/test-runs"):
            return _json(404, {})
        if parts == [""]:
            since = request.query.get("updatedSince", "").replace("+00:00", "Z")
            found = [run for run in self._unfinished.values() if run["updatedAt"] >= since]
            return _json(200, found[: int(request.query["limit"])])
        run = self._runs.get(parts[0])
        return _json(200, run) if run and len(parts) == 1 else _json(404, {})

    def _write(self, request: Request, parts: list[str]) -> Response:
        if parts == [""]:
            return self._register(msgspec.json.decode(request.body))
        run = self._runs[parts[0]]
        if parts[1] == "report":
            return self._report(run, request.body)
        if parts[1] == "logs":
            at = (parts[0], parts[2])
            if int(request.query["offset"]) == self._logs[at]:
                self._logs[at] += len(request.body)
            return _json(200, {"bytes": self._logs[at]})
        return _json(404, {})

    def _register(self, body: Object) -> Response:
        ref = body["k8sRef"]
        if found := self._by_uid.get(ref["uid"]):
            return _json(200, found)
        run_id = f"00000000-0000-4000-8000-{next(self._ids):012d}"
        run: Object = {
            "id": run_id,
            "name": body["name"],
            "status": "pending",
            "origin": "crd",
            "createdAt": _now(),
            "updatedAt": _now(),
            "version": 1,
            "k8sRef": ref,
            "image": body["image"],
            "commands": body["commands"],
            "env": body["env"],
            "command": body["commands"],
            "containers": ["test"],
            "cluster": body["cluster"],
            "namespace": ref["namespace"],
            "timeoutSeconds": 3600,
            "log": {},
            "jobName": job_name_of_testrun(ref["name"], ref["uid"]),
        }
        self._runs[run_id] = self._unfinished[run_id] = self._by_uid[ref["uid"]] = run
        return _json(201, run)

    def _report(self, run: Object, body: bytes) -> Response:
        report = msgspec.json.decode(body, type=RunReport)
        run |= msgspec.to_builtins(report)
        run["version"] += 1
        run["updatedAt"] = _now()
        if run["status"] in FINAL:
            self._unfinished.pop(run["id"], None)
        return _json(200, run)


def _kind(parts: list[str]) -> str:
    return parts[1] if len(parts) > 1 else "run" if parts[0] else "runs"


def _json(status: int, value: Any) -> Response:
    return Response(status, msgspec.json.encode(value))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), StubApi().respond))
