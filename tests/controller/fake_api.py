"""A fake of the HTTP API, as the controller uses it."""

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from sparktest.api.reports import changes
from sparktest.domain import (
    Failure,
    FailureClass,
    K8sRef,
    Log,
    Origin,
    Run,
    RunPage,
    RunReport,
    Status,
)
from sparktest.errors import (
    ConflictError,
    GoneError,
    NotFoundError,
    OffsetError,
    SparkTestError,
    UnavailableError,
)
from sparktest.http import OnResult
from sparktest.kube.jobs import job_name_of_testrun
from sparktest.kube.pod_template import container_names
from tests.controller.faults import Faults

# As far as the controller calls them.
METHODS = {
    "list_runs": "GET",
    "get_run": "GET",
    "create_run": "POST",
    "claim_run": "PUT",
    "report_run": "PUT",
    "append_log": "PUT",
}


class FakeApi:
    """Runs, reports, logs and tombstones of deleted runs; replaces ApiClient."""

    def __init__(self, clock: Callable[[], datetime], faults: Faults) -> None:
        self.runs: dict[str, Run] = {}
        # By id of the run and container.
        self.logs: dict[tuple[str, str], bytes] = {}
        self.deleted: set[str] = set()
        self.down = False
        self.writes_down = False
        self.refuse_registration: Exception | None = None
        self.finals: dict[str, Status] = {}
        self._clock = clock
        self._faults = faults
        self._ids = itertools.count(1)

    def list_runs(self, **query: Any) -> RunPage:
        self._answer()
        since, namespaces = query.get("updated_since"), query.get("namespace")
        found = [
            run
            for run in self.runs.values()
            if run.status.value in query.get("status", ())
            and (since is None or run.updated_at is None or run.updated_at >= since)
            and (not namespaces or run.namespace in namespaces)
        ]
        return RunPage(runs=tuple(found))

    def get_run(self, run_id: str) -> Run:
        self._answer()
        if run_id not in self.runs:
            raise NotFoundError("there is no such run")
        return self.runs[run_id]

    def create_run(self, body: dict[str, Any]) -> Run:
        self._answer(write=True)
        with self._faults.around():
            if self.refuse_registration:
                raise self.refuse_registration
            ref = msgspec.convert(body["k8sRef"], K8sRef)
            for run in self.runs.values():
                if run.k8s_ref == ref:
                    return run
            if ref.uid in self.deleted:
                raise GoneError("deleted")
            ended = {} if body.get("image") or body.get("started") else self._no_definition()
            return self.add(
                **ended,
                origin=Origin.CRD,
                k8s_ref=ref,
                cluster=body["cluster"],
                namespace=ref.namespace,
                job_name=job_name_of_testrun(ref.name, ref.uid or ""),
                image=body.get("image", ""),
                template=body.get("template", {}),
                containers=container_names(body.get("template", {})),
                timeout_seconds=body.get("timeoutSeconds", 3600),
                ttl_seconds_after_finished=body.get("ttlSecondsAfterFinished"),
            )

    def claim_run(self, run_id: str, cluster: str) -> Run:
        self._answer(write=True)
        with self._faults.around():
            run = self._existing(run_id)
            if run.cluster not in (None, cluster):
                raise ConflictError("another cluster's")
            return self.change(run_id, cluster=cluster)

    def report_run(self, run_id: str, report: RunReport) -> Run:
        self._answer(write=True)
        with self._faults.around():
            run = self._existing(run_id)
            row = _row(run) | {"log_bytes": self._log_bytes(run_id)}
            changed = changes(row, _loaded(report), self._clock())
            if "failure" in changed:
                changed["failure"] = report.failure
            if [changed.pop(name) for name in ("log_state", "log_reason") if name in changed]:
                changed["log"] = report.log
            return self.change(run_id, **changed) if changed else run

    def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
        self._answer(write=True)
        with self._faults.around():
            self._existing(run_id)
            stored = self.logs.get((run_id, container), b"")
            if offset == len(stored):
                self.logs[run_id, container] = stored + data
            elif stored[offset : offset + len(data)] != data:
                raise OffsetError("does not join", stored=len(stored))
            return len(self.logs[run_id, container])

    # --- changes by tests ------------------------------------------------------------------------

    def backup(self) -> tuple[dict[str, Run], dict[tuple[str, str], bytes], set[str]]:
        """Return a copy of the database."""
        return dict(self.runs), dict(self.logs), set(self.deleted)

    def restore(
        self, backup: tuple[dict[str, Run], dict[tuple[str, str], bytes], set[str]]
    ) -> None:
        """Replace the database by a copy from `backup`."""
        runs, logs, deleted = backup
        self.runs, self.logs, self.deleted = dict(runs), dict(logs), set(deleted)

    def add(self, **fields: Any) -> Run:
        """Add a pending run."""
        run_id = f"00000000-0000-4000-8000-{next(self._ids):012d}"
        given: dict[str, Any] = {
            "id": run_id,
            "name": "run",
            "status": Status.PENDING,
            "origin": Origin.API,
            "created_at": self._clock(),
            "updated_at": self._clock(),
            "image": "busybox:1.35",
            "namespace": "tests",
            "job_name": f"test-run-{run_id}",
            "log": Log(),
        }
        self.runs[run_id] = Run(**(given | fields))
        return self.runs[run_id]

    def change(self, run_id: str, **fields: Any) -> Run:
        """Change fields of a run; its version grows if any of them differs."""
        run = self.runs[run_id]
        changed = msgspec.structs.replace(
            run, **fields, version=run.version + 1, updated_at=self._clock()
        )
        if changed == msgspec.structs.replace(
            run, version=changed.version, updated_at=changed.updated_at
        ):
            return run
        self.runs[run_id] = changed
        return changed

    def delete(self, run_id: str) -> None:
        """Delete the run and leave a tombstone."""
        run = self.runs.pop(run_id)
        self.deleted |= {run_id, (run.k8s_ref and run.k8s_ref.uid) or run_id}

    def _no_definition(self) -> dict[str, Any]:
        """Return the fields of a run whose definition does not exist: it has failed already."""
        failure = Failure(
            class_=FailureClass.CONFIG, reason="DefinitionNotFound", message="no such definition"
        )
        return {"status": Status.FAILED, "failure": failure, "finished_at": self._clock()}

    def _log_bytes(self, run_id: str) -> int:
        return sum(len(data) for (found, _), data in self.logs.items() if found == run_id)

    def _existing(self, run_id: str) -> Run:
        if run_id in self.deleted:
            raise GoneError("deleted")
        return self.get_run(run_id)

    def _answer(self, *, write: bool = False) -> None:
        if self.down or (write and self.writes_down):
            raise UnavailableError("the API does not answer")


class FakeClient:
    """A client of the fake API, which reports the result of every call."""

    def __init__(self, api: FakeApi, on_result: OnResult) -> None:
        self._api = api
        self._on_result = on_result

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._api, name)

        def recorded(*args: Any, **kw: Any) -> Any:
            try:
                found = call(*args, **kw)
            except SparkTestError as error:
                self._on_result(METHODS[name], error)
                raise
            self._on_result(METHODS[name], None)
            return found

        return recorded


def _row(run: Run) -> dict[str, Any]:
    fields = {name: getattr(run, name) for name in run.__struct_fields__}
    return fields | {"log_state": run.log.state, "log_reason": run.log.reason}


def _loaded(report: RunReport) -> dict[str, Any]:
    fields = {
        name: value
        for name in report.__struct_fields__
        if (value := getattr(report, name)) is not None
    }
    if report.failure:
        fields["failure"] = msgspec.structs.asdict(report.failure)
    if report.log:
        fields["log"] = msgspec.structs.asdict(report.log)
    return fields
