"""Drills of the controller: `python -m bench.drills NAME [RUNS]`, with 300 runs unless given.

Controller, API and a dev cluster work in one process. In each drill something goes wrong; then
every run must be final, with one Job and one registration, and every log must be whole.

- api-401, api-403, api-404: the API refuses everything for 60 seconds while the tests run.
- api-writes-hang: the API answers reads but no writes for 60 seconds. Tests of TestRuns that are
  deleted meanwhile must be stopped within 5 seconds.
- api-latency: the API takes 100 ms longer for each request.
- etcd-restored: the cluster gets an older state back while the tests run. Runs that it does not
  have any more, or whose pods it has lost, end as infrastructure failures.
- ingress-404: the same, by a proxy that does not have the route.
- slow-follower: of 64 logs at a time, one arrives at a line a second.
- big-logs: the runs write 1 GB together, as fast as they can.
"""

import hashlib
import logging
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sparktest.devcluster.folders import DATABASE
from sparktest.devcluster.kinds import JOBS, PODS
from sparktest.devcluster.requests import Request, Response
from sparktest.domain import LogState, Run
from sparktest.kube.jobs import RUN_ID, STOP
from tests.controller.fault_environment import FaultEnvironment, fault_environment
from tests.e2e.program import until

RUNS = 300
REFUSED_SECONDS = 60
# The tests that are deleted while writes hang, and how soon they must have been stopped.
STOPPED = 5
STOP_SECONDS = 5.0
SECONDS = 900
BIG_BYTES = 10**9
# The log of a run; its size is checked, and a sum of it.
SCRIPT = "for i in 1 2 3 4 5 6; do echo line $i of the test; sleep 0.5; done"
LOG = b"".join(b"line %d of the test\n" % number for number in range(1, 7))
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Refusals:
    """WSGI middleware that answers every request with `status` while it is set.

    Attributes:
        writes_hang: while set, writes are not answered.
        latency_seconds: how much longer every request takes.
    """

    def __init__(self) -> None:
        self.status: str | None = None
        self.writes_hang = False
        self.latency_seconds = 0.0
        self.content_type = "application/problem+json"
        self.count = 0

    def wrap(self, app: Wsgi) -> Wsgi:
        """Return the application behind this middleware."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            if self.latency_seconds:
                time.sleep(self.latency_seconds)
            while self.writes_hang and environ["REQUEST_METHOD"] != "GET":
                time.sleep(0.05)
            if self.status is None:
                return app(environ, start_response)
            self.count += 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(self.status, [("Content-Type", self.content_type)])
            return [b'{"detail": "refused by the drill"}']

        return answer


def refuse(environment: FaultEnvironment, refusals: Refusals, runs: int, status: str) -> None:
    """Refuse every request for a while after the first half of the runs was applied."""
    begin(environment, runs // 2)
    until("some run", lambda: sum(environment.jobs.values()) > runs // 8, seconds=SECONDS)
    refusals.status = status
    begin(environment, runs - runs // 2, "later")
    time.sleep(REFUSED_SECONDS)
    refusals.status = None
    print(f"  {refusals.count} requests were refused")
    check(environment.ended(runs, seconds=SECONDS), environment, LOG)


def refuse_as_ingress(environment: FaultEnvironment, refusals: Refusals, runs: int) -> None:
    """Refuse every request as a proxy does that does not have the route."""
    refusals.content_type = "text/html"
    refuse(environment, refusals, runs, "404 Not Found")


def hang_writes(environment: FaultEnvironment, refusals: Refusals, runs: int) -> None:
    """Answer no writes for a while, and delete TestRuns meanwhile."""
    for number in range(STOPPED):
        environment.apply(f"stopped-{number}", "sleep 600")
    begin(environment, (runs - STOPPED) // 2)
    until(
        "the tests to stop run",
        lambda: _running(environment) >= STOPPED and sum(environment.jobs.values()) > runs // 8,
        seconds=SECONDS,
    )
    refusals.writes_hang = True
    begin(environment, runs - STOPPED - (runs - STOPPED) // 2, "later")
    # By then, writes of all kinds hang.
    time.sleep(REFUSED_SECONDS / 4)
    began = time.monotonic()
    for testrun in environment.entries(environment.testruns):
        if testrun.name.startswith("stopped-"):
            environment.delete(environment.testruns, testrun)
    until("the stop of all is requested", lambda: _stopping(environment) == STOPPED, seconds=60)
    seconds = time.monotonic() - began
    print(f"  the stop of {STOPPED} tests was requested in {seconds:.1f} s")
    assert seconds < STOP_SECONDS
    time.sleep(REFUSED_SECONDS * 3 / 4 - seconds)
    refusals.writes_hang = False
    ended = environment.ended(runs, seconds=SECONDS)
    stopped = [run for run in ended if run.name.startswith("stopped-")]
    assert {run.status.value for run in stopped} == {"cancelled"}
    check([run for run in ended if run not in stopped], environment, LOG)


def _running(environment: FaultEnvironment) -> int:
    """Return how many pods of the tests that are to be stopped run."""
    pods = (pod.decode() for pod in environment.entries(PODS))
    return sum(
        "stopped-" in pod["metadata"]["name"] and pod["status"]["phase"] == "Running"
        for pod in pods
    )


def _stopping(environment: FaultEnvironment) -> int:
    """Return how many Jobs are being stopped."""
    return sum(STOP in job.decode()["metadata"]["annotations"] for job in environment.entries(JOBS))


def add_latency(environment: FaultEnvironment, refusals: Refusals, runs: int) -> None:
    """Let each request take 100 ms longer."""
    refusals.latency_seconds = 0.1
    begin(environment, runs)
    check(environment.ended(runs, seconds=SECONDS), environment, LOG)


def restore_etcd(environment: FaultEnvironment, refusals: Refusals, runs: int) -> None:
    """Restore the state of a moment at which half of the TestRuns did not exist yet."""
    folder = environment.cluster.kubeconfig.parent
    begin(environment, runs // 2)
    until("some run", lambda: sum(environment.jobs.values()) > runs // 8, seconds=SECONDS)
    with (
        closing(sqlite3.connect(folder / DATABASE)) as now,
        closing(sqlite3.connect(folder / "old")) as old,
    ):
        now.backup(old)
    begin(environment, runs - runs // 2, "later")
    until("more run", lambda: sum(environment.jobs.values()) > runs * 3 // 4, seconds=SECONDS)
    environment.cluster.stop()
    for path in folder.glob(f"{DATABASE}*"):
        path.unlink()
    (folder / "old").rename(folder / DATABASE)
    with environment.restarted():
        found = until("all are final", lambda: _all_final(environment), seconds=SECONDS)
        # A Job that etcd lost before the API knew of it is created again.
        jobs = Counter(job.labels.get(RUN_ID) for job in environment.entries(JOBS))
        assert max(jobs.values()) == 1, "a run has two Jobs"
        reasons = Counter(run.failure.reason if run.failure else "" for run in found)
        print(f"  {dict(reasons)}")
        assert reasons.keys() <= {"", "ObjectGone", "JobDeleted", "PodDeleted", "NodeLost"}


def _all_final(environment: FaultEnvironment) -> list[Run]:
    runs = environment.runs()
    is_final = all(run.status.final for run in runs)
    return runs if is_final and environment.testruns_are_finished() else []


def slow_follower(environment: FaultEnvironment, refusals: Refusals, runs: int) -> None:
    """Let one log arrive at a line a second."""
    respond = environment.cluster.server.respond

    def slowly(request: Request) -> Response:
        response = respond(request)
        if "/pods/slow-" in request.path and response.stream is not None:
            response.stream = _slow_pieces(response.stream)
        return response

    environment.cluster.server.respond = slowly
    environment.apply("slow", f"for n in 1 2 3 4 5 6 7 8; do {SCRIPT}; done")
    for first in range(0, runs - 1, 63):
        begin(environment, min(63, runs - 1 - first), f"batch-{first}")
        until(
            "the others have ended",
            lambda: sum(not run.status.final for run in environment.runs()) <= 1,
            seconds=SECONDS,
        )
    found = {run.name: run for run in environment.ended(runs, seconds=SECONDS)}
    check([found.pop("slow")], environment, LOG * 8)
    check(list(found.values()), environment, LOG)


def _slow_pieces(pieces: Iterator[bytes | None]) -> Iterator[bytes | None]:
    for piece in pieces:
        for line in (piece or b"").splitlines(keepends=True):
            time.sleep(1)
            yield line
        if not piece:
            yield piece


def big_logs(environment: FaultEnvironment, refusals: Refusals, runs: int) -> None:
    """Write BIG_BYTES in all."""
    line = "x" * 99
    count = BIG_BYTES // runs // 100
    begin(environment, runs, script=f"yes {line} | head -n {count}")
    began = time.monotonic()
    check(environment.ended(runs, seconds=SECONDS), environment, f"{line}\n".encode() * count)
    print(f"  {count * 100 * runs / 10**6:.0f} MB in {time.monotonic() - began:.0f} s")


def begin(
    environment: FaultEnvironment, runs: int, prefix: str = "run", script: str = SCRIPT
) -> None:
    """Apply TestRuns."""
    for number in range(runs):
        environment.apply(f"{prefix}-{number}", script)


def check(runs: list[Run], environment: FaultEnvironment, whole: bytes) -> None:
    """Assert that all runs have succeeded and all logs are whole."""
    assert {run.status.value for run in runs} == {"succeeded"}
    wrong = [run.log for run in runs if run.log.state is not LogState.COMPLETE]
    assert not wrong, f"{len(wrong)} logs are not complete: {wrong[:3]}"
    sums = {hashlib.sha256(environment.client.get_log(run.id)).digest() for run in runs}
    assert sums == {hashlib.sha256(whole).digest()}, "the text of a log differs"


DRILLS: dict[str, Callable[[FaultEnvironment, Refusals, int], None]] = {
    "api-401": partial(refuse, status="401 Unauthorized"),
    "api-403": partial(refuse, status="403 Forbidden"),
    "api-404": partial(refuse, status="404 Not Found"),
    "ingress-404": refuse_as_ingress,
    "api-writes-hang": hang_writes,
    "api-latency": add_latency,
    "etcd-restored": restore_etcd,
    "slow-follower": slow_follower,
    "big-logs": big_logs,
}


def main(name: str, count: str = str(RUNS)) -> int:
    """Run one drill; print its result and return the exit code."""
    refusals, runs = Refusals(), int(count)
    # Thousands of lines, most of them about the faults of the drill.
    logging.disable(logging.WARNING)
    print(f"{name} ({runs} runs)", flush=True)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        fault_environment(Path(folder), middleware=refusals.wrap) as environment,
    ):
        DRILLS[name](environment, refusals, runs)
    print(f"  ok in {time.monotonic() - began:.0f} s", flush=True)
    return 0
