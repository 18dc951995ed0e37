"""Drills of the controller: `python -m bench.drills NAME [RUNS]`, with 300 runs unless given.

Controller, API and a dev cluster work in one process. In each drill something goes wrong; then
every run must be final, with one Job and one registration, and every log must be whole.

- api-401, api-403, api-404: the API refuses everything for 60 seconds while the tests run.
- ingress-404: the same, by a proxy that does not have the route.
- slow-follower: of 64 logs at a time, one arrives at a line a second.
- big-logs: the runs write 1 GB together, as fast as they can.
"""

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sparktest.devcluster.requests import Request, Response
from sparktest.domain import LogState, Run
from tests.controller.fault_environment import FaultEnvironment, fault_environment
from tests.e2e.program import until

RUNS = 300
REFUSED_SECONDS = 60
SECONDS = 900
BIG_BYTES = 10**9
# The log of a run; its size is checked, and a sum of it.
SCRIPT = "for i in 1 2 3 4 5 6; do echo line $i of the test; sleep 0.5; done"
LOG = b"".join(b"line %d of the test\n" % number for number in range(1, 7))
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Refusals:
    """WSGI middleware that answers every request with `status` while it is set."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.content_type = "application/problem+json"
        self.count = 0

    def wrap(self, app: Wsgi) -> Wsgi:
        """Return the application behind this middleware."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
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
