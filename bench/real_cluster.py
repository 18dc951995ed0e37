"""Many TestRuns at once on a real cluster: `KUBECONFIG=… python -m bench.real_cluster [OPTIONS]`.

First as many bare Jobs with the same container are created, then the TestRuns, with two controllers
of which the leader is killed some times (kill -9) and started again. Prints the wall time of both
and their ratio. Exits with 1 if it is above the limit, or if a run has a wrong status, exit code or
log, or not exactly one Job. With kills, the wait for the Lease (15 s each) is part of the time.
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sparktest.domain import LogState, Run, Status
from sparktest.kube.resources import JOBS, TESTRUNS
from tests.e2e.program import Program, until
from tests.e2e.stack import IMAGE, Stack
from tests.e2e.target import open_target

MAX_RATIO = 1.1
TIMEOUT_SECONDS = 900.0
LINES = 200
# Every fifth test fails with this code.
EXIT_CODE = 3


def script(number: int) -> str:
    """Return the shell commands of a test."""
    code = EXIT_CODE if number % 5 == 0 else 0
    loop = f"while [ $i -lt {LINES} ]; do echo run {number} line $i; i=$((i+1)); done"
    return f"i=0; {loop}; exit {code}"


def log(number: int) -> str:
    """Return the log of a test."""
    return "".join(f"run {number} line {line}\n" for line in range(LINES))


def run_jobs(stack: Stack, runs: int) -> float:
    """Run bare Jobs and delete them; return the seconds that they took."""

    def create(number: int) -> None:
        container = {"name": "test", "image": IMAGE, "command": ["sh", "-c", script(number)]}
        pod = {"restartPolicy": "Never", "containers": [container]}
        metadata = {"name": f"bare-{number}", "labels": {"bare": "true"}}
        job = {"metadata": metadata, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}
        stack.cluster.create(JOBS, stack.namespace, job)

    def ended() -> bool:
        found = stack.cluster.list(JOBS, stack.namespace, label_selector="bare=true").items
        kinds = [{each["type"] for each in job["status"].get("conditions", [])} for job in found]
        return sum(bool(each & {"Complete", "Failed"}) for each in kinds) == runs

    seconds = _measure(runs, create, ended)
    for number in range(runs):
        stack.cluster.delete(JOBS, stack.namespace, f"bare-{number}")
    return seconds


def run_testruns(stack: Stack, runs: int, kills: int) -> float:
    """Run TestRuns and kill leaders; return the seconds until all have a final status."""
    programs = [
        stack.controller,
        Program(["controller"], stack.controller.environ, stack.folder / "second.log"),
    ]
    programs[1].start()
    until("the second one waits", lambda: "waiting for the leader" in programs[1].tail())
    killed = 0

    def apply(number: int) -> None:
        stack.apply(f"run-{number}", command=["sh", "-c", script(number)])

    def ended() -> bool:
        nonlocal killed
        testruns = stack.cluster.list(TESTRUNS, stack.namespace).items
        final = sum("finishedAt" in each.get("status", {}) for each in testruns)
        leading = [each for each in programs if "elected as leader" in each.log.read_text()]
        if killed < kills and final >= runs * (killed + 1) // (kills + 1) and leading:
            leading[0].stop(kill=True)
            leading[0].log.unlink()
            leading[0].start()
            killed += 1
        return final == runs

    try:
        return _measure(runs, apply, ended)
    finally:
        programs[1].stop()


def problems(stack: Stack, runs: int) -> list[str]:
    """Return what is wrong with the runs."""
    found = {
        run.k8s_ref.name: run for run in stack.client.list_runs(limit=1000).runs if run.k8s_ref
    }
    wrong = [f"{len(found)} runs are registered"] if len(found) != runs else []
    for number in range(runs):
        run = found.get(f"run-{number}")
        wrong += [f"run-{number}: {each}" for each in _problems(stack, run, number)] if run else []
    return wrong


def _problems(stack: Stack, run: Run, number: int) -> list[str]:
    code = EXIT_CODE if number % 5 == 0 else None
    ended = (run.status, run.failure.exit_code if run.failure else None)
    wrong = []
    if ended != (Status.FAILED if code else Status.SUCCEEDED, code):
        wrong.append(f"ended as {ended}")
    if run.log.state is not LogState.COMPLETE or stack.log_of(run) != log(number):
        wrong.append(f"log {run.log.state}, {run.log.bytes} bytes")
    if len(stack.jobs_of(run)) != 1:
        wrong.append(f"{len(stack.jobs_of(run))} Jobs")
    return wrong


def _measure(runs: int, create: Any, ended: Any) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, range(runs)))
    until("all have ended", ended, TIMEOUT_SECONDS, every=0.5)
    return time.monotonic() - began


def main() -> int:
    """Run both and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_target("cluster", Path(folder)) as target:
        stack = Stack(target, Path(folder), SPARKTEST_LEADER_ELECTION="on")
        try:
            stack.start()
            jobs = run_jobs(stack, options.runs)
            testruns = run_testruns(stack, options.runs, options.kills)
            wrong = problems(stack, options.runs)
        finally:
            stack.stop()
    print(f"{options.runs} Jobs: {jobs:.1f} s; TestRuns: {testruns:.1f} s; {testruns / jobs:.2f} x")
    print("\n".join(wrong) or f"all right after {options.kills} kills")
    return int(bool(wrong) or (not options.kills and testruns > MAX_RATIO * jobs))


if __name__ == "__main__":
    sys.exit(main())
