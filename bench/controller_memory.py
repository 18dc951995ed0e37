"""Memory and restart of a controller: `python -m bench.controller_memory [part …]`.

- finished: with 10,000 finished TestRuns, their Jobs and pods; the restart must write nothing, and
  the Job of a new TestRun must be created after at most 3 s of CPU time.
- live: with 10,000 running ones.
- events: 300,000 watch events of runs that come and go; the memory after 100,000 of them is
  compared with that at the end.

The controller is a process of its own; the two APIs are bench/controller_stub.py. The figures are
resident memory above that of a controller without any run. Exits with 1 if a goal is missed.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.controller_objects import make_objects, new_testrun
from bench.controller_stub import Stub
from bench.processes import cpu_seconds

COUNT = 10_000
EVENTS = 300_000
FIRST_EVENTS = 100_000
ROUND = 250
WAIT_SECONDS = 600.0
# Megabytes, but for the CPU seconds of the restart.
GOALS = {"finished": 5.0, "live": 40.0, "events": 2.0, "first new Job": 3.0, "writes": 0.0}


class Controller:
    """A `sparktest controller` of a stub."""

    def __init__(self, stub: Stub, folder: Path) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SPARKTEST_BACKEND_URL": f"{stub.url}/api",
            "KUBECONFIG": str(stub.kubeconfig(folder)),
            "SPARKTEST_LOG_LEVEL": "warning",
        }
        program = os.environ.get("BENCH_PROGRAM", "-m sparktest controller")
        self.process = subprocess.Popen([sys.executable, *program.split()], env=environ)

    def memory(self) -> float:
        """Return the resident memory in megabytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def cpu(self) -> float:
        """Return the CPU time in seconds."""
        return cpu_seconds(self.process.pid)

    def rest(self) -> None:
        """Wait until it has nothing to do."""
        before = self.cpu()
        while True:
            time.sleep(2.0)
            after = self.cpu()
            if after - before < 0.1:
                return
            before = after


@contextlib.contextmanager
def controller(stub: Stub) -> Iterator[Controller]:
    """Run a controller; kill it after the block."""
    with tempfile.TemporaryDirectory() as folder:
        running = Controller(stub, Path(folder))
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()


@contextlib.contextmanager
def stubbed() -> Iterator[Stub]:
    """Run a stub."""
    stub = Stub()
    try:
        yield stub
    finally:
        stub.close()


def wait_for(what: str, check: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + WAIT_SECONDS
    while not check():
        if time.monotonic() > end:
            raise SystemExit(f"timed out: {what}")
        time.sleep(0.02)


def fill(stub: Stub, count: int, *, finished: bool) -> None:
    """Store the objects of runs."""
    for number in range(count):
        objects = make_objects(number, finished=finished)
        stub.runs[objects.run["id"]] = objects.run
        for kind, obj in (
            ("testruns", objects.testrun),
            ("jobs", objects.job),
            ("pods", objects.pod),
        ):
            stub.put(kind, obj)


def resting(count: int, *, finished: bool = True) -> float:
    """Return the memory of a controller of so many runs, once it has nothing to do."""
    with stubbed() as stub:
        fill(stub, count, finished=finished)
        with controller(stub) as running:
            wait_for("watches", stub.is_watched)
            running.rest()
            report(f"{count} runs", running, stub)
            return running.memory()


def report(what: str, running: Controller, stub: Stub) -> None:
    """Print the memory, CPU time, writes and requests of a controller."""
    print(
        f"{what}: {running.memory():.1f} MB, {running.cpu():.2f} s of CPU time, "
        f"{len(stub.writes)} writes, requests to the API: {stub.requests}",
        flush=True,
    )


def restart() -> tuple[float, int]:
    """Return the CPU seconds to the first new Job with finished runs, and the other writes."""
    with stubbed() as stub:
        fill(stub, COUNT, finished=True)
        new = new_testrun(COUNT)
        stub.runs[new.run["id"]] = new.run
        stub.put("testruns", new.testrun)
        created, cpu = threading.Event(), []

        def note() -> None:
            cpu.append(running.cpu())
            created.set()

        stub.job_created = note
        began = time.monotonic()
        with controller(stub) as running:
            wait_for("the first new Job", created.is_set)
            seconds = time.monotonic() - began
            running.rest()
            name = new.testrun["metadata"]["name"]
            others = [each for each in stub.writes if name not in each.path and each.kind != "jobs"]
            report("restart with finished runs and a new one", running, stub)
            print(
                f"its Job after {cpu[0]:.2f} s of CPU time and {seconds:.1f} s; "
                f"writes for finished runs: {len(others)}",
                flush=True,
            )
            return cpu[0], len(others)


def events() -> float:
    """Return by how many megabytes events after FIRST_EVENTS let the memory grow."""
    memory: list[float] = []
    with stubbed() as stub, controller(stub) as running:
        wait_for("watches", stub.is_watched)
        sent, number = 0, 0
        while sent < EVENTS:
            sent += churn(stub, number)
            number += ROUND
            wait_for("events", lambda: stub.pending_bytes() < 30)
            if sent >= FIRST_EVENTS * (len(memory) + 1):
                running.rest()
                memory.append(running.memory())
                report(f"{sent} events", running, stub)
    return memory[-1] - memory[0]


def churn(stub: Stub, first: int) -> int:
    """Send the events of ROUND runs that come, change and go; return how many events they are."""
    rows = []
    for number in range(first, first + ROUND):
        version = int(stub.next_version())
        live = make_objects(number, finished=False, version=version)
        ended = make_objects(number, finished=True, version=version + 1_000_000_000)
        stub.runs[live.run["id"]] = live.run
        rows.append((live, ended))
    kinds = ("testruns", "jobs", "pods")
    for kind, field in zip(kinds, ("testrun", "job", "pod"), strict=True):
        stub.send(kind, "ADDED", *(json.dumps(getattr(live, field)).encode() for live, _ in rows))
    for _, ended in rows:
        stub.runs[ended.run["id"]] = ended.run
    for kind, field in zip(kinds, ("testrun", "job", "pod"), strict=True):
        stub.send(
            kind, "MODIFIED", *(json.dumps(getattr(ended, field)).encode() for _, ended in rows)
        )
    for kind, field in zip(kinds, ("testrun", "job", "pod"), strict=True):
        gone = []
        for _, ended in rows:
            obj = getattr(ended, field)
            obj["metadata"]["resourceVersion"] = str(int(obj["metadata"]["resourceVersion"]) + 1)
            gone.append(json.dumps(obj).encode())
        stub.send(kind, "DELETED", *gone)
    for live, _ in rows:
        del stub.runs[live.run["id"]]
    return 9 * ROUND


def main(parts: list[str]) -> int:
    """Print the figures; return the exit code."""
    found: dict[str, float] = {}
    if not parts or {"finished", "live"} & set(parts):
        idle = resting(0)
    if not parts or "finished" in parts:
        found["finished"] = resting(COUNT) - idle
        found["first new Job"], found["writes"] = restart()
    if not parts or "live" in parts:
        found["live"] = resting(COUNT, finished=False) - idle
    if not parts or "events" in parts:
        found["events"] = events()
    for name, value in found.items():
        verdict = "missed" if value > GOALS[name] else "met"
        print(f"{verdict}: {name}: {value:.2f}, goal {GOALS[name]:g}")
    return 1 if any(value > GOALS[name] for name, value in found.items()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
