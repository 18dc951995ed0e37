"""A dev cluster with 10,000 TestRuns and their Jobs: `python -m bench.devcluster_scale`.

Prints the time to start, to list the objects in pages and from a write to its watch event, the
memory, and the CPU time when idle. Exits with 1 if a goal is missed.
"""

import base64
import http.client
import json
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from bench.processes import cpu_seconds
from sparktest.devcluster.bootstrap import bootstrap
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.kinds import CRDS, Kinds
from sparktest.devcluster.kinds import JOBS as JOB_KIND
from sparktest.devcluster.resources import Options, Resources
from sparktest.devcluster.store import Store
from sparktest.domain import K8sRef, Origin, Run, Status
from sparktest.kube.jobs import FINALIZER, build_job, job_name_of_testrun

COUNT = 10_000
PAGE = 500
WRITES = 300
IDLE_SECONDS = 20
TESTRUNS = "/apis/sparktest.dev/v1alpha1/namespaces/default/testruns"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
SPEC: dict[str, Any] = {
    "image": "busybox:1.35",
    "commands": ["echo one", "echo two"],
    "env": {"LEVEL": "full"},
}
COMPLETE = {
    "conditions": [
        {
            "type": kind,
            "status": "True",
            "reason": "CompletionsReached",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind in ("SuccessCriteriaMet", "Complete")
    ],
    "succeeded": 1,
    "startTime": "2026-01-01T00:00:00Z",
    "completionTime": "2026-01-01T00:00:00Z",
}
PROGRAM = (
    "import sys; from pathlib import Path; from sparktest.devcluster.app import run; "
    "run(Path(sys.argv[1]))"
)
# Seconds; memory in megabytes.
GOALS = {
    "list of TestRuns": 2.0,
    "list of Jobs": 2.0,
    "table of TestRuns": 2.0,
    "table of Jobs": 2.0,
    "watch event": 0.020,
    "memory": 300.0,
}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def main() -> int:
    """Print the figures; return the exit code."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cluster"
        folder.mkdir()
        start = time.perf_counter()
        fill(folder)
        print(f"{2 * COUNT} objects stored in {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        with running(folder) as (process, client):
            print(f"ready after {time.perf_counter() - start:.1f} s")
            found["list of TestRuns"] = client.time_list(TESTRUNS)
            found["list of Jobs"] = client.time_list(JOBS)
            found["table of TestRuns"] = client.time_list(TESTRUNS, table=True)
            found["table of Jobs"] = client.time_list(JOBS, table=True)
            delays = client.watch_delays()
            found["watch event"] = delays[int(len(delays) * 0.95)]
            print(
                f"a watch event: median {delays[len(delays) // 2] * 1000:.1f} ms, "
                f"95 % within {found['watch event'] * 1000:.1f} ms, "
                f"all within {delays[-1] * 1000:.1f} ms"
            )
            found["memory"] = memory(process, "VmHWM")
            print(f"memory: {found['memory']:.0f} MB at most, {memory(process, 'VmRSS'):.0f} now")
            before = cpu_seconds(process)
            time.sleep(IDLE_SECONDS)
            idle = (cpu_seconds(process) - before) * 60 / IDLE_SECONDS
            print(f"idle: {idle * 1000:.0f} ms of CPU time per minute")
    missed = [name for name, goal in GOALS.items() if found[name] > goal]
    for name in missed:
        print(f"goal missed: {name}: {found[name]:.3f} > {GOALS[name]:g}")
    return 1 if missed else 0


def fill(folder: Path) -> None:
    """Store finished TestRuns and their Jobs."""
    store, kinds = Store(folder / "state.db"), Kinds()
    resources = Resources(store, Clock())
    bootstrap(store, kinds, resources)
    crd = yaml.safe_load((files("sparktest.crd") / "testrun.yaml").read_text(encoding="utf-8"))
    resources.create(CRDS, "", crd, Options())
    testruns = kinds.find("sparktest.dev", "v1alpha1", "testruns")
    for number in range(COUNT):
        name = f"checkout-smoke-{number:05d}"
        testrun = {"metadata": {"name": name, "finalizers": [FINALIZER]}, "spec": SPEC}
        uid = resources.create(testruns, "default", testrun, Options())["metadata"]["uid"]
        run = run_of(number, name, uid)
        resources.create(JOB_KIND, "default", build_job(run), Options())
        entry = resources.stored(JOB_KIND, "default", run.job_name)
        resources.set_status(JOB_KIND, entry, partial(dict.update, status=COMPLETE))
        ended = {"phase": "Succeeded", "runId": run.id, "jobName": run.job_name}
        entry = resources.stored(testruns, "default", name)
        resources.set_status(testruns, entry, partial(dict.update, status=ended))
    store.close()


def run_of(number: int, name: str, uid: str) -> Run:
    """Return the run of a TestRun."""
    return Run(
        id=f"00000000-0000-4000-8000-{number:012d}",
        name=name,
        status=Status.SUCCEEDED,
        origin=Origin.CRD,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        image=SPEC["image"],
        commands=tuple(SPEC["commands"]),
        env=SPEC["env"],
        k8s_ref=K8sRef(namespace="default", name=name, uid=uid),
        job_name=job_name_of_testrun(name, uid),
    )


@contextmanager
def running(folder: Path) -> Iterator[tuple[int, "Client"]]:
    """Run a dev cluster on a folder; yield its process id and a client when it is ready."""
    kubeconfig = folder / "kubeconfig"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)])
    try:
        while not kubeconfig.exists():
            if process.poll() is not None:
                raise SystemExit("the dev cluster did not start")
            time.sleep(0.02)
        yield process.pid, Client(kubeconfig)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


class Client:
    """A client of the dev cluster of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._address = cluster["server"].removeprefix("https://")
        self._headers = {
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Content-Type": "application/merge-patch+json",
        }
        self._connection = self._connect()

    def time_list(self, path: str, *, table: bool = False) -> float:
        """List all objects of a kind in pages; return the seconds it took."""
        start, names, token = time.perf_counter(), [], ""
        accept = TABLE if table else "application/json"
        while True:
            page = self._call("GET", f"{path}?limit={PAGE}&continue={token}", accept=accept)
            items = [row["object"] for row in page["rows"]] if table else page["items"]
            names += [item["metadata"]["name"] for item in items]
            token = page["metadata"].get("continue", "")
            if not token:
                break
        seconds = time.perf_counter() - start
        if len(set(names)) != COUNT:
            raise SystemExit(f"{path}: {len(set(names))} listed, not {COUNT}")
        representation = "as tables" if table else "as objects"
        print(
            f"{path.rpartition('/')[2]} in {COUNT // PAGE} pages {representation}: {seconds:.2f} s"
        )
        return seconds

    def watch_delays(self) -> list[float]:
        """Return the seconds from each write to its watch event, shortest first."""
        version = self._call("GET", f"{TESTRUNS}?limit=1")["metadata"]["resourceVersion"]
        watching = self._connect()
        path = f"{TESTRUNS}?watch=true&resourceVersion={version}"
        watching.request("GET", path, headers=self._headers)
        stream = watching.getresponse()
        found = []
        for number in range(WRITES):
            patch = {"metadata": {"labels": {"write": str(number)}}}
            start = time.perf_counter()
            self._call("PATCH", f"{TESTRUNS}/checkout-smoke-{number:05d}", patch)
            event = json.loads(stream.readline())
            found.append(time.perf_counter() - start)
            if event["object"]["metadata"]["labels"] != patch["metadata"]["labels"]:
                raise SystemExit("unexpected event")
        watching.close()
        return sorted(found)

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address, context=self._tls, timeout=60)

    def _call(self, method: str, path: str, body: Any = None, accept: str = "*/*") -> Any:
        raw = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, raw, {**self._headers, "Accept": accept})
        response = self._connection.getresponse()
        reply = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{method} {path}: {reply}")
        return reply


def memory(pid: int, field: str) -> float:
    """Return VmRSS (current) or VmHWM (peak) of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    sys.exit(main())
