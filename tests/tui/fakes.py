"""A fake of ApiClient over runs in memory."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from threading import Event, RLock
from typing import Any

import msgspec

from sparktest.domain import (
    Failure,
    FailureClass,
    K8sRef,
    Log,
    LogState,
    Origin,
    Run,
    RunPage,
    Status,
)
from sparktest.errors import ConflictError, NotFoundError, SparkTestError, UnavailableError
from sparktest.kubectl import CURRENT, Clusters
from sparktest.tui.polling import Clock

NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
TESTS = (
    "checkout-smoke",
    "login-flow",
    "search-load",
    "payments-contract",
    "nightly-regression",
    "api-schema",
    "mail-delivery",
    "cart-races",
    "export-30mb",
    "dns-canary",
)
NAMESPACES = ("default", "team-pay", "team-web", "qa")
PASSED, FAILED = Status.SUCCEEDED, Status.FAILED
CYCLE = (
    *(PASSED, PASSED, FAILED, PASSED, Status.TIMED_OUT),
    *(PASSED, Status.CANCELLED, PASSED, PASSED, FAILED),
)


class StoppedClock(Clock):
    """A clock that changes only when a test advances it."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


# The cluster of every run; kubectl's current context points to it.
CLUSTER = "9d1f64a2-3c1b-4f0e-8b6d-0a1b2c3d4e5f"
KNOWN = Clusters({CLUSTER: CURRENT})


def make_run(number: int = 0, *, now: datetime = NOW, **fields: Any) -> Run:
    """Return a realistic run; a higher number means an older run."""
    test, namespace = TESTS[number % len(TESTS)], NAMESPACES[number % len(NAMESPACES)]
    status = (Status.PENDING, Status.RUNNING)[number] if number < 2 else CYCLE[number % len(CYCLE)]
    crd = number % 3 != 1
    created = now - timedelta(seconds=20 + 47 * number)
    run_id = f"{0x5EED0000 + number:08x}-7c1d-4b6e-9f0a-{number:012x}"
    name = f"{test}-{number}"
    values: dict[str, Any] = {
        "id": run_id,
        "name": name,
        "status": status,
        "created_at": created,
        "origin": Origin.CRD if crd else Origin.API,
        "image": "registry.example/tests:1.35",
        "commands": ("make test", f"make report SUITE={test}"),
        "command": ("make test", f"make report SUITE={test}"),
        "env": {"BASE_URL": "https://shop.example", "TOKEN": "do-not-show"},
        "definition_name": test,
        "namespace": namespace,
        "updated_at": created,
        "job_name": f"testrun-{name}-{number:08x}" if crd else f"test-run-{run_id}",
        "cluster": CLUSTER,
        "k8s_ref": K8sRef(namespace=namespace, name=name, uid=run_id) if crd else None,
    }
    values |= _progress(status, created, number)
    return Run(**(values | fields))


def make_runs(count: int, **fields: Any) -> list[Run]:
    """Return `count` runs, newest first."""
    return [make_run(number, **fields) for number in range(count)]


def changed(run: Run, **fields: Any) -> Run:
    """Return the next version of a run."""
    newer = max(run.updated_at or run.created_at, NOW) + timedelta(microseconds=run.version)
    return msgspec.structs.replace(run, version=run.version + 1, updated_at=newer, **fields)


def unreachable() -> UnavailableError:
    """Return the client's error for a refused connection; the errors of requests are OSErrors."""
    error = UnavailableError("the API at http://127.0.0.1:8080/api cannot be reached: refused")
    error.__cause__ = ConnectionError("refused")
    return error


class FakeApi:
    """An API with these runs. While they are set, requests wait for `hold` and raise `error`."""

    def __init__(
        self, runs: Sequence[Run] = (), logs: dict[str, list[bytes]] | None = None
    ) -> None:
        self.lock = RLock()
        self.runs = {run.id: run for run in runs}
        self.logs = logs or {}
        self.error: SparkTestError | None = None
        self.hold: Event | None = None
        # Of containers other than the test's, by run id and name.
        self.container_logs: dict[tuple[str, str], bytes] = {}
        self.more: Callable[[str], Iterator[bytes]] = lambda run_id: iter(())
        self.requests: list[dict[str, Any]] = []

    def put(self, *runs: Run) -> None:
        """Add or replace these runs."""
        with self.lock:
            self.runs |= {run.id: run for run in runs}

    def list_runs(
        self,
        *,
        updated_since: datetime | None = None,
        cursor: str | None = None,
        limit: int = 100,
        **filters: Any,
    ) -> RunPage:
        self._answer()
        self.requests.append({"updated_since": updated_since, "cursor": cursor, "limit": limit})
        with self.lock:
            found = sorted(self.runs.values(), key=lambda r: (-r.created_at.timestamp(), r.id))
        if updated_since is not None:
            found = [r for r in found if (r.updated_at or r.created_at) >= updated_since]
        start = int(cursor or 0)
        after = start + limit if start + limit < len(found) else None
        return RunPage(
            runs=tuple(found[start : start + limit]), next=None if after is None else str(after)
        )

    def get_run(self, run_id: str) -> Run:
        self._answer()
        with self.lock:
            if run_id not in self.runs:
                raise NotFoundError("there is no such run")
            return self.runs[run_id]

    def cancel_run(self, run_id: str) -> Run:
        run = self.get_run(run_id)
        if run.status.final:
            raise ConflictError("the run has ended")
        self.put(changed(run, cancel_requested_at=NOW))
        return self.runs[run_id]

    def delete_run(self, run_id: str) -> str | None:
        run = self.get_run(run_id)
        with self.lock:
            del self.runs[run_id]
        return f"kubectl delete testruns.sparktest.dev {run.name}" if run.k8s_ref else None

    def follow_log(
        self, run_id: str, *, container: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        self._answer()
        if container:
            yield self.container_logs.get((run_id, container), b"")[offset:]
            return
        for chunk in chain(self.logs.get(run_id, ()), self.more(run_id)):
            rest, offset = chunk[offset:], max(offset - len(chunk), 0)
            if rest:
                yield rest

    def _answer(self) -> None:
        if self.hold is not None:
            self.hold.wait(30)
        if self.error is not None:
            raise self.error


def _progress(status: Status, created: datetime, number: int) -> dict[str, Any]:
    """Return the fields that depend on the status."""
    if status is Status.PENDING:
        return {"status_reason": "Unschedulable", "status_message": "0/3 nodes have enough memory"}
    started = created + timedelta(seconds=3)
    if status is Status.RUNNING:
        return {"started_at": started, "job_created": True, "job_uid": "u"}
    seconds = 4.0 + number * 37 % 600
    failure = {
        Status.FAILED: Failure(
            class_=FailureClass.TEST,
            reason="Error",
            exit_code=3,
            message="the container ended with exit code 3",
        ),
        Status.TIMED_OUT: Failure(
            class_=FailureClass.TIMEOUT,
            reason="DeadlineExceeded",
            message="it ran longer than 10m00s",
        ),
        Status.CANCELLED: Failure(
            class_=FailureClass.CANCELLED, reason="Cancelled", message="cancelled by a person"
        ),
    }.get(status)
    return {
        "started_at": started,
        "finished_at": started + timedelta(seconds=seconds),
        "duration": seconds,
        "failure": failure,
        "job_created": True,
        "job_uid": "u",
        "log": Log(state=LogState.COMPLETE, bytes=1200),
    }
