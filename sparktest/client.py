"""ApiClient: the client of the HTTP API."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import msgspec

from sparktest.client_access import AuditClient, TokenClient
from sparktest.client_resources import ResourceClient
from sparktest.client_streams import RunEvent, follow_log, run_events
from sparktest.client_suite_runs import SuiteRunClient
from sparktest.domain import (
    ControllerSeen,
    Definition,
    Executor,
    Run,
    RunPage,
    RunReport,
    RunSummary,
    StoredLog,
)
from sparktest.domain_apply import ApplyResult
from sparktest.domain_batches import BatchResult, MissingRuns
from sparktest.domain_schedules import DueTimes, Schedule
from sparktest.domain_suites import Suite, SuiteRun
from sparktest.http import HttpTransport, OnResult
from sparktest.responses import Clean, Warn, read_cursor, unchanged
from sparktest.settings import Settings

# Every write of a controller can be repeated, and others wait for the answer.
CONTROLLER_WRITE_SECONDS = 5.0


class ApiClient:
    """Client of the API; its methods return values of sparktest.domain and raise its errors.

    A client is a connection pool that threads may share. Only requests that create a run are
    repeated here, when their response is lost; of all others, the caller knows which may be.

    Attributes:
        definitions, executors, schedules, suites, suite_runs, tokens: their calls, such as
            `client.executors.create(body)`.

    Args:
        url: the URL of the API, with /api.
        token: the bearer token, if any.
        cluster: the uid of the cluster of a controller; None for all other programs.
        clean: applied to decoded JSON and to header texts, to remove terminal escapes.
        warn: called with the text of every warning in a response.
        timeout_seconds: timeout of a request; None for the default.
        before_write: called before every request that is not a GET; may raise to prevent it.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        cluster: str | None = None,
        clean: Clean | None = None,
        warn: Warn | None = None,
        timeout_seconds: float | None = None,
        before_write: Callable[[], None] | None = None,
    ) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"SparkTest-Controller": cluster} if cluster else {}
        self._http = HttpTransport(
            url,
            headers,
            clean=clean or unchanged,
            warn=warn or (lambda text: None),
            timeout_seconds=timeout_seconds,
            before_write=before_write,
            write_timeout_seconds=CONTROLLER_WRITE_SECONDS if cluster else None,
        )
        self.definitions = ResourceClient(self._http, "/test-definitions", Definition)
        self.executors = ResourceClient(self._http, "/test-executors", Executor)
        self.tokens = TokenClient(self._http)
        self.audit = AuditClient(self._http)
        self.schedules = ResourceClient(self._http, "/schedules", Schedule)
        self.suites = ResourceClient(self._http, "/test-suites", Suite)
        self.suite_runs = SuiteRunClient(self._http)

    @classmethod
    def from_settings(cls, settings: Settings, **options: Any) -> Self:
        """Create a client from the settings, with options of the class."""
        return cls(settings.backend_url, settings.token, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._http.close()

    def on_result(self, callback: OnResult) -> None:
        """Call this from now on with the method and the error, or None, of every request."""
        self._http.on_result = callback

    # --- runs ------------------------------------------------------------------------------------

    def list_runs(
        self,
        *,
        status: Sequence[str] = (),
        origin: Sequence[str] = (),
        namespace: Sequence[str] = (),
        definition_id: Sequence[str] = (),
        suite_run_id: Sequence[str] = (),
        schedule_id: Sequence[str] = (),
        class_: Sequence[str] = (),
        label: Sequence[str] = (),
        q: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        updated_since: datetime | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> RunPage:
        """Return a page of runs, newest first.

        The API may end a page of rare runs early; it is filled up here with further requests.
        """
        params: dict[str, Any] = {
            "status": list(status),
            "origin": list(origin),
            "namespace": list(namespace),
            "definitionId": list(definition_id),
            "suiteRunId": list(suite_run_id),
            "scheduleId": list(schedule_id),
            "class": list(class_),
            "label": list(label),
            "q": q,
            "since": since,
            "until": until,
            "updatedSince": updated_since,
        }
        given = msgspec.to_builtins(params)
        runs: list[Run] = []
        while True:
            asked = {**given, "cursor": cursor, "limit": limit - len(runs)}
            response = self._http.call("GET", "/test-runs", params=asked)
            runs += self._http.value(response, tuple[Run, ...])
            cursor = read_cursor(response.headers)
            if cursor is None or len(runs) >= limit:
                return RunPage(runs=tuple(runs), next=cursor)

    def summary(self, **filters: Any) -> RunSummary:
        """Return counts of the newest runs that pass the filters: those of `list_runs`."""
        params = msgspec.to_builtins({_camel(name): value for name, value in filters.items()})
        return self._http.fetch(RunSummary, "GET", "/test-runs/summary", params=params)

    def get_run(self, run_id: str) -> Run:
        """Return the run with this id."""
        return self._http.fetch(Run, "GET", _run(run_id))

    def create_run(self, body: dict[str, Any]) -> Run:
        """Create an API run, or register the run of a TestRun object (idempotent by uid)."""
        if "k8sRef" in body:
            return self._http.fetch(Run, "POST", "/test-runs", json=body)
        return self._http.create(Run, "/test-runs", body)

    def create_runs(
        self, items: Sequence[dict[str, Any]], *, repeat: int = 1
    ) -> tuple[BatchResult, ...]:
        """Create API runs in one transaction; return a result for each item, in their order."""
        body = {"items": list(items), "repeat": repeat}
        return self._http.create(tuple[BatchResult, ...], "/test-runs:batch", body)

    def missing_runs(self, run_ids: Sequence[str]) -> tuple[str, ...]:
        """Return those of at most MAX_RUN_IDS runs that the API does not have."""
        body = {"ids": list(run_ids)}
        return self._http.fetch(MissingRuns, "POST", "/test-runs:missing", json=body).ids

    def delete_run(self, run_id: str) -> str | None:
        """Delete the run; return the kubectl command that deletes its TestRun object, if any."""
        remaining = self._http.call("DELETE", _run(run_id)).headers.get("SparkTest-Remaining")
        return str(self._http.clean(remaining)) if remaining else None

    def cancel_run(self, run_id: str) -> Run:
        """Request cancellation; the status changes once the controller has stopped the run."""
        return self._http.fetch(Run, "POST", f"{_run(run_id)}/cancel")

    def rerun_run(self, run_id: str, body: dict[str, Any] | None = None) -> Run:
        """Create a new API run with namespace and spec of this run, and the body's overrides."""
        return self._http.create(Run, f"{_run(run_id)}/rerun", body or {})

    def claim_run(self, run_id: str, cluster: str) -> Run:
        """Claim the run for a cluster; raise ConflictError when another cluster has it."""
        return self._http.fetch(Run, "PUT", f"{_run(run_id)}/claim", json={"cluster": cluster})

    def report_run(self, run_id: str, report: RunReport) -> Run:
        """Report the progress of a run; return the run, also when the report changed nothing."""
        path, body = f"{_run(run_id)}/report", msgspec.to_builtins(report)
        return self._http.fetch(Run, "PUT", path, json=body)

    # --- logs ------------------------------------------------------------------------------------

    def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
        """Append to the log of a container; return the number of bytes then stored.

        Raises:
            OffsetError: the data does not match the stored log; `stored` is its length.
        """
        return self._http.fetch(
            StoredLog,
            "PUT",
            f"{_run(run_id)}/logs/{quote(container, safe='')}",
            params={"offset": offset},
            data=data,
            headers={"Content-Type": "application/octet-stream"},
        ).bytes

    def get_log(
        self, run_id: str, *, container: str | None = None, tail: int | None = None
    ) -> bytes:
        """Return the stored log, or its last `tail` lines."""
        params = {"container": container, "tail": tail}
        return self._http.call("GET", f"{_run(run_id)}/logs", params=params).data

    def follow_log(
        self, run_id: str, *, container: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """Yield the log from `offset` on, in chunks as they arrive, until the run has ended.

        Raises:
            UnavailableError: the stream was interrupted; continue after the bytes received.
        """
        return follow_log(self._http, f"{_run(run_id)}/logs", container, offset)

    def events(self, *, last_id: str | None = None, **filters: Sequence[str]) -> Iterator[RunEvent]:
        """Yield what happens to runs, from now on or after `last_id`, without an end.

        It connects again after an interruption, as long as that takes, and misses nothing.

        Args:
            last_id: the `id` of the last event received.
            filters: as the API names them, such as `namespace=["shop"]`.

        Raises:
            SparkTestError: a retry cannot help.
        """
        return run_events(self._http, filters, last_id)

    # --- resources -----------------------------------------------------------------------------

    def run_definition(self, definition_id: str, body: dict[str, Any] | None = None) -> Run:
        """Create a run of the definition, with the overrides of the body."""
        return self._http.create(Run, f"{self.definitions.path_of(definition_id)}/run", body or {})

    def run_schedule(self, schedule_id: str) -> Schedule:
        """Start a run of the schedule now; `last_run_id` is its id."""
        return self._http.fetch(Schedule, "POST", f"{self.schedules.path_of(schedule_id)}/run")

    def next_due_times(self, schedule_id: str, count: int) -> tuple[datetime, ...]:
        """Return the next due times of the schedule."""
        path = f"{self.schedules.path_of(schedule_id)}/next"
        return self._http.fetch(DueTimes, "GET", path, params={"count": count}).times

    def apply(self, documents: Sequence[dict[str, Any]], *, dry_run: bool = False) -> ApplyResult:
        """Create or update the objects of the documents by name: all of them, or none.

        Raises:
            InvalidError: documents are wrong; the pointers begin with /documents/N.
        """
        body = {"documents": list(documents), "dryRun": dry_run}
        return self._http.fetch(ApplyResult, "POST", "/apply", json=body)

    def run_suite(self, suite_id: str) -> SuiteRun:
        """Run all definitions of the suite; return the suite run with its runs and a message."""
        return self._http.fetch(SuiteRun, "POST", f"{self.suites.path_of(suite_id)}/run")

    # --- the service -----------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """Return `{status, timestamp}`; raise UnavailableError when API or store do not answer."""
        return self._http.fetch(dict[str, Any], "GET", "/health")

    def ready(self) -> dict[str, Any]:
        """Return `{status, timestamp}`; raise UnavailableError unless the store is up to date."""
        return self._http.fetch(dict[str, Any], "GET", "/readyz", outside=True)

    def list_controllers(self) -> tuple[ControllerSeen, ...]:
        """Return all controllers that have sent a request, latest first."""
        return self._http.fetch(tuple[ControllerSeen, ...], "GET", "/controllers")


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(word.capitalize() for word in rest)


def _run(run_id: str) -> str:
    return f"/test-runs/{quote(run_id, safe='')}"
