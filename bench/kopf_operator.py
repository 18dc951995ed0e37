"""A kopf operator that does for a TestRun what SparkTest's controller does, to compare their cost.

`KUBERNETES=URL API=URL python -m bench.kopf_operator`. Finalizer, registration in the API, Job, log
(followed while the test runs), reports and status, in the style that costs kopf least: handlers are
coroutines, and their requests go over aiohttp. It keeps what it knows in memory, and recovers from
nothing but what kopf retries by itself: a real one would need more.
"""

import asyncio
import os
from typing import Any

import aiohttp
import kopf
import msgspec

from sparktest.domain import Run
from sparktest.kube.jobs import build_job

Object = dict[str, Any]
GROUP, VERSION, PLURAL = "sparktest.dev", "v1alpha1", "testruns"
TESTRUNS = f"/apis/{GROUP}/{VERSION}/namespaces/default/{PLURAL}"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
FLUSH_SECONDS = 0.5
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


class Operator:
    """The two HTTP sessions, and the runs by the name of their Job."""

    def __init__(self) -> None:
        self.runs: dict[str, Object] = {}
        self.logs: dict[str, asyncio.Task[int]] = {}
        self.started: set[str] = set()
        self.ended: set[str] = set()

    async def open(self) -> None:
        """Open the sessions in kopf's event loop."""
        unlimited = aiohttp.ClientTimeout(total=None)
        self.kubernetes = aiohttp.ClientSession(
            os.environ["KUBERNETES"], timeout=unlimited, connector=aiohttp.TCPConnector(limit=100)
        )
        self.api = aiohttp.ClientSession(
            os.environ["API"], connector=aiohttp.TCPConnector(limit=100)
        )

    async def send(
        self, session: aiohttp.ClientSession, method: str, path: str, body: Any, **kw: Any
    ) -> Object:
        """Send JSON and return the JSON of the response."""
        data = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json", **kw.pop("headers", {})}
        async with session.request(method, path, data=data, headers=headers, **kw) as response:
            found: Object = msgspec.json.decode(await response.read())
            if response.status >= 300 and response.status != 409:
                raise kopf.TemporaryError(str(response.status), delay=1)
            return found

    async def report(self, run: Object, report: Object) -> None:
        """Report to the API."""
        await self.send(self.api, "PUT", f"/api/test-runs/{run['id']}/report", report)

    async def patch_status(self, run: Object, status: Object) -> None:
        """Write the status of the TestRun."""
        path = f"{TESTRUNS}/{run['k8sRef']['name']}/status"
        await self.send(self.kubernetes, "PATCH", path, {"status": status}, headers=MERGE_PATCH)

    async def store_log(self, run: Object, pod: str) -> int:
        """Follow the log and store it in the API; return its bytes."""
        path = f"/api/v1/namespaces/default/pods/{pod}/log"
        stored, buffer, flushed = 0, b"", asyncio.get_running_loop().time()
        async with self.kubernetes.get(path, params={"follow": "true"}) as response:
            while True:
                wait = max(flushed + FLUSH_SECONDS - asyncio.get_running_loop().time(), 0.01)
                chunk: bytes | None = None
                try:
                    async with asyncio.timeout(wait if buffer else None):
                        chunk = await response.content.readany()
                except TimeoutError:
                    pass
                if buffer and not chunk:
                    stored = await self.append(run, stored, buffer)
                    buffer = b""
                if chunk == b"":
                    return stored
                if chunk and not buffer:
                    flushed = asyncio.get_running_loop().time()
                buffer += chunk or b""

    async def append(self, run: Object, offset: int, data: bytes) -> int:
        """Append to the log in the API; return its length."""
        path = f"/api/test-runs/{run['id']}/logs/test?offset={offset}"
        async with self.api.put(path, data=data) as response:
            found: Object = msgspec.json.decode(await response.read())
            return int(found["bytes"])


operator = Operator()


@kopf.on.login()
def login(**_: Any) -> kopf.ConnectionInfo:
    """Connect to the stand-in."""
    return kopf.ConnectionInfo(server=os.environ["KUBERNETES"])


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Configure kopf so that it costs least."""
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.finalizer = "sparktest.dev/testrun-finalizer"
    await operator.open()


@kopf.on.create(GROUP, VERSION, PLURAL)
async def create(name: str, uid: str, namespace: str | None, spec: kopf.Spec, **_: Any) -> None:
    """Register the run and create its Job."""
    body = {
        "name": name,
        "origin": "crd",
        "cluster": "kopf",
        "k8sRef": {"namespace": namespace, "name": name, "uid": uid},
        **dict(spec),
    }
    run = await operator.send(operator.api, "POST", "/api/test-runs", body)
    operator.runs[run["jobName"]] = run
    manifest = build_job(msgspec.convert(run, Run))
    job = await operator.send(operator.kubernetes, "POST", JOBS, manifest)
    await operator.report(run, {"status": "pending", "jobUid": job["metadata"]["uid"]})


@kopf.on.event("pods", labels={"app": "sparktest"})
async def pod_changed(body: kopf.Body, **_: Any) -> None:
    """Follow the log of a pod that runs, and report."""
    run = operator.runs.get(body["metadata"]["labels"]["job-name"])
    statuses = body["status"].get("containerStatuses")
    if run is None or not statuses:
        return
    state, job = statuses[0]["state"], run["jobName"]
    ran = state.get("running") or state.get("terminated")
    if ran and job not in operator.started:
        operator.started.add(job)
        pod = body["metadata"]["name"]
        operator.logs[job] = asyncio.create_task(operator.store_log(run, pod))
        started = {"startedAt": ran["startedAt"]}
        await operator.report(run, {"status": "running", **started})
        await operator.patch_status(run, {"phase": "Running", "runId": run["id"], **started})
    if "terminated" in state and job not in operator.ended:
        operator.ended.add(job)
        await end(run, job, state["terminated"])


async def end(run: Object, job: str, terminated: Object) -> None:
    """Report how the test ended, after its log is stored."""
    stored = await operator.logs.pop(job)
    succeeded = terminated["exitCode"] == 0
    finished = {"finishedAt": terminated["finishedAt"]}
    log = {"state": "complete", "bytes": stored}
    status = "succeeded" if succeeded else "failed"
    await operator.report(run, {"status": status, **finished, "log": log})
    phase = "Succeeded" if succeeded else "Failed"
    condition = {"type": "Finished", "status": "True", "reason": phase}
    await operator.patch_status(run, {"phase": phase, **finished, "conditions": [condition]})


@kopf.on.delete(GROUP, VERSION, PLURAL)
async def delete(**_: Any) -> None:
    """Have kopf add its finalizer."""


if __name__ == "__main__":
    kopf.configure(quiet=True)
    kopf.run(clusterwide=True, standalone=True)
