"""What a TestRun costs the controller and a kopf operator: `python -m bench.controller_cost`.

Both do the same (bench.kopf_operator) beside stand-ins for Kubernetes and the API, in turns: a
burst of TestRuns, and then a steady load. Prints CPU time of the process and writes for each run,
runs per second, and the time from applying a TestRun to its Job. Exits with 1 if a goal is missed.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import cpu_seconds, free_port

SPARKTEST, KOPF = "SparkTest", "kopf"
MODULES = {SPARKTEST: ["sparktest", "controller"], KOPF: ["bench.kopf_operator"]}
WARM_UP = 10
TIMEOUT_SECONDS = 600.0
BURST_TEST_SECONDS, STEADY_TEST_SECONDS = 0.03, 1.5
STEADY_PER_SECOND = 20.0


@dataclass(frozen=True)
class Result:
    """Figures of one load: times in milliseconds; writes and reads are those of one run."""

    cpu: float
    per_second: float
    job_p50: float
    job_p99: float
    kubernetes_writes: float
    api_writes: float
    detail: str


class Options(argparse.Namespace):
    """What the command line gives."""

    burst: int
    steady: int
    rounds: int
    only: str | None


def main() -> int:
    """Print the table and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=1000, help="TestRuns at once")
    parser.add_argument("--steady", type=int, default=400, help="TestRuns, 20 a second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(MODULES))
    options = parser.parse_args(namespace=Options())
    columns = ("CPU ms", "runs/s", "Job p50", "p99 ms", "writes", "to API")
    print(f"{'':<26}" + "".join(f"{column:>9}" for column in columns))
    burst = compare(options, options.burst, 0.0, BURST_TEST_SECONDS)
    steady = compare(options, options.steady, STEADY_PER_SECOND, STEADY_TEST_SECONDS)
    missed = list(goals_missed(burst, steady)) if len(burst) == len(steady) == 2 else []
    for text in missed:
        print(f"goal missed: {text}")
    return 1 if missed else 0


def compare(
    options: Options, count: int, per_second: float, test_seconds: float
) -> dict[str, Result]:
    """Measure both in turns; print and return the medians."""
    names = [options.only] if options.only else list(MODULES)
    if not count:
        return {}
    found: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            found[name].append(measure(name, count, per_second, test_seconds))
    medians = {}
    for name, results in found.items():
        medians[name] = median = sorted(results, key=lambda each: each.cpu)[len(results) // 2]
        load = f"steady {per_second:.0f}/s" if per_second else f"burst {count}"
        print(
            f"{name + ' ' + load:<26}{median.cpu:9.2f}{median.per_second:9.1f}{median.job_p50:9.1f}"
            f"{median.job_p99:9.1f}{median.kubernetes_writes:9.2f}{median.api_writes:9.2f}"
            f"  {median.detail}",
            flush=True,
        )
    return medians


def measure(name: str, count: int, per_second: float, test_seconds: float) -> Result:
    """Start stand-ins and program, apply the TestRuns, and wait for their end."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kubernetes, api = free_port(), free_port()
        stub = ["bench.stub_kubernetes", str(kubernetes), str(test_seconds)]
        stack.enter_context(running(stub, folder, {}))
        stack.enter_context(running(["bench.stub_api", str(api)], folder, {}))
        environ = environment(folder, kubernetes, api)
        wait_until(lambda: answers(kubernetes) and answers(api))
        pid = stack.enter_context(running(MODULES[name], folder, environ))
        load(kubernetes, WARM_UP, 0.0, "warm", WARM_UP)
        before, writes = cpu_seconds(pid), (state(kubernetes), state(api))
        load(kubernetes, count, per_second, "run", WARM_UP + count)
        cpu = settled(pid, kubernetes) - before
        return result(cpu, count, writes, (state(kubernetes), state(api)))


def result(cpu: float, count: int, before: tuple[Any, Any], after: tuple[Any, Any]) -> Result:
    """Return the figures of a run."""
    if after[1]["incomplete"]:
        raise RuntimeError(f"logs of {len(after[1]['incomplete'])} runs are not whole")
    times = after[0]["times"][-count:]
    to_job = sorted((job - applied) * 1000 for applied, job, _ in times)
    seconds = max(end for *_, end in times) - times[0][0]
    kubernetes, api = (
        {
            kind: (number - old["writes"].get(kind, 0)) / count
            for kind, number in new["writes"].items()
        }
        for old, new in zip(before, after, strict=True)
    )
    detail = " ".join(f"{kind}:{number:.2f}" for kind, number in (kubernetes | api).items())
    return Result(
        cpu * 1000 / count,
        count / seconds,
        statistics.median(to_job),
        to_job[int(count * 0.99)],
        sum(kubernetes.values()),
        sum(api.values()),
        detail,
    )


def load(port: int, count: int, per_second: float, prefix: str, ends: int) -> None:
    """Apply TestRuns and wait until so many have ended."""
    request(port, "/bench/apply", {"count": count, "per_second": per_second, "prefix": prefix})
    wait_until(lambda: sum(len(times) == 3 for times in state(port)["times"]) == ends)


def settled(pid: int, port: int) -> float:
    """Wait until the program has written nothing for a while; return its CPU time."""
    before = None
    while (now := state(port)["writes"]) != before:
        before = now
        time.sleep(1.0)
    return cpu_seconds(pid)


def environment(folder: Path, kubernetes: int, api: int) -> dict[str, str]:
    """Return the variables of both programs."""
    server = f"http://127.0.0.1:{kubernetes}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "stub",
        "clusters": [{"name": "stub", "cluster": {"server": server}}],
        "users": [{"name": "stub", "user": {"token": "stub"}}],
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "stub"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return {
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "SPARKTEST_BACKEND_URL": f"http://127.0.0.1:{api}",
        "SPARKTEST_TOKEN": "stub",
        "KUBERNETES": server,
        "API": f"http://127.0.0.1:{api}",
    }


def goals_missed(burst: dict[str, Result], steady: dict[str, Result]) -> Iterator[str]:
    """Yield the goals that are missed, as text."""
    checks = {
        "CPU in a burst <= 1/3": burst[SPARKTEST].cpu * 3 <= burst[KOPF].cpu,
        "runs per second in a burst >= 3 x": burst[SPARKTEST].per_second
        >= 3 * burst[KOPF].per_second,
        "CPU in steady state <= 1/2": steady[SPARKTEST].cpu * 2 <= steady[KOPF].cpu,
        "apply -> Job p99 <= 50 ms": steady[SPARKTEST].job_p99 <= 50,
        "writes to Kubernetes <= 5": steady[SPARKTEST].kubernetes_writes <= 5,
        "writes to the API <= 4": steady[SPARKTEST].api_writes <= 4,
    }
    yield from (text for text, met in checks.items() if not met)


@contextlib.contextmanager
def running(module: list[str], folder: Path, environ: dict[str, str]) -> Iterator[int]:
    """Run a module in a process of its own; yield its id."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env=os.environ | environ, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError("the load has not ended in time")
        time.sleep(0.2)


def answers(port: int) -> bool:
    """Return True if the stand-in answers."""
    try:
        state(port)
    except OSError:
        return False
    return True


def state(port: int) -> Any:
    """Return the state of a stand-in."""
    return request(port, "/bench/state")


def request(port: int, path: str, body: Any = None) -> Any:
    """Send a request to a stand-in."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data) as response:
        return json.loads(response.read())


if __name__ == "__main__":
    sys.exit(main())
