"""ApiClient: the only caller of the HTTP API."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import msgspec

from sparktest.domain import ControllerSeen, Definition, Run, RunPage, RunReport, StoredLog
from sparktest.http import HttpTransport, StreamTimeoutError
from sparktest.responses import Clean, Warn, cursor_of
from sparktest.settings import Settings


class ApiClient:
    """Calls the API; every method answers values of sparktest.domain and raises its errors.

    One client is one connection pool; threads may share it. Nothing is retried here: the caller
    knows what may be repeated.

    Args:
        url: the API's address, with /api.
        token: the bearer token, None for none.
        cluster: the uid of the cluster that the caller controls; None for people.
        clean: applied to every decoded JSON answer and every text of a header before it becomes a
            value: the place where a program that shows text to people removes terminal escapes.
        warn: called with every warning that comes with an answer.
        seconds: how long an answer may take; None: as long as is usual.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        cluster: str | None = None,
        clean: Clean | None = None,
        warn: Warn | None = None,
        seconds: float | None = None,
    ) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"SparkTest-Controller": cluster} if cluster else {}
        self._http = HttpTransport(
            url,
            headers,
            clean=clean or (lambda value: value),
            warn=warn or (lambda text: None),
            seconds=seconds,
        )

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        clean: Clean | None = None,
        warn: Warn | None = None,
        seconds: float | None = None,
    ) -> Self:
        """A client of the API that the settings name, for a program that people use."""
        return cls(settings.backend_url, settings.token, clean=clean, warn=warn, seconds=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client is not used afterwards."""
        self._http.close()

    # --- runs ------------------------------------------------------------------------------------

    def list_runs(
        self,
        *,
        status: Sequence[str] = (),
        origin: Sequence[str] = (),
        namespace: Sequence[str] = (),
        definition_id: Sequence[str] = (),
        label: Sequence[str] = (),
        q: str | None = None,
        since: datetime | None = None,
        updated_since: datetime | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> RunPage:
        """A page of runs, newest first."""
        params: dict[str, Any] = {
            "status": list(status),
            "origin": list(origin),
            "namespace": list(namespace),
            "definitionId": list(definition_id),
            "label": list(label),
            "q": q,
            "since": since,
            "updatedSince": updated_since,
            "cursor": cursor,
            "limit": limit,
        }
        response = self._http.call("GET", "/test-runs", params=msgspec.to_builtins(params))
        runs = self._http.value(response, tuple[Run, ...])
        return RunPage(runs=runs, next=cursor_of(response.links.get("next", {}).get("url")))

    def get_run(self, run_id: str) -> Run:
        """The run with this id."""
        return self._http.value(self._http.call("GET", _run(run_id)), Run)

    def create_run(self, body: dict[str, Any]) -> Run:
        """A new run of origin api, or the registered run of a TestRun (idempotent by uid)."""
        return self._http.value(self._http.call("POST", "/test-runs", json=body), Run)

    def delete_run(self, run_id: str) -> str | None:
        """What is left to delete by hand (a kubectl command), None where nothing is."""
        remaining = self._http.call("DELETE", _run(run_id)).headers.get("SparkTest-Remaining")
        return str(self._http.clean(remaining)) if remaining else None

    def cancel_run(self, run_id: str) -> Run:
        """The run, now asked to stop; its status follows when the controller has stopped it."""
        return self._http.value(self._http.call("POST", f"{_run(run_id)}/cancel"), Run)

    def rerun_run(self, run_id: str) -> Run:
        """A new API run that runs what this one ran."""
        return self._http.value(self._http.call("POST", f"{_run(run_id)}/rerun"), Run)

    def claim_run(self, run_id: str, cluster: str) -> Run:
        """The run, now of this cluster. ConflictError when another cluster has it."""
        return self._http.value(
            self._http.call("PUT", f"{_run(run_id)}/claim", json={"cluster": cluster}), Run
        )

    def report_run(self, run_id: str, report: RunReport) -> Run:
        """The run as it stands after the report, applied or not."""
        body = msgspec.to_builtins(report)
        return self._http.value(self._http.call("PUT", f"{_run(run_id)}/report", json=body), Run)

    # --- logs ------------------------------------------------------------------------------------

    def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
        """The number of bytes stored after the append.

        Raises:
            OffsetError: the chunk does not join what is stored; `stored` says where it ends.
        """
        response = self._http.call(
            "PUT",
            f"{_run(run_id)}/logs/{quote(container, safe='')}",
            params={"offset": offset},
            data=data,
            headers={"Content-Type": "application/octet-stream"},
        )
        return self._http.value(response, StoredLog).bytes

    def get_log(
        self, run_id: str, *, container: str | None = None, tail: int | None = None
    ) -> bytes:
        """The stored log, or its last `tail` lines."""
        params = {"container": container, "tail": tail}
        return self._http.call("GET", f"{_run(run_id)}/logs", params=params).content

    def follow_log(
        self, run_id: str, *, container: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """The log from a byte on, in chunks as they come, until the run has ended.

        Raises:
            UnavailableError: it was cut; what came so far tells where to go on.
        """
        while True:
            params = {"container": container, "follow": "true", "offset": offset}
            try:
                for chunk in self._http.stream(f"{_run(run_id)}/logs", params):
                    offset += len(chunk)
                    yield chunk
            except StreamTimeoutError:
                continue
            return

    # --- definitions -----------------------------------------------------------------------------

    def list_definitions(self, *, q: str | None = None) -> tuple[Definition, ...]:
        """All definitions, newest first."""
        found: list[Definition] = []
        params: dict[str, Any] = {"q": q, "limit": 1000}
        while True:
            response = self._http.call("GET", "/test-definitions", params=params)
            found += self._http.value(response, tuple[Definition, ...])
            params["cursor"] = cursor_of(response.links.get("next", {}).get("url"))
            if params["cursor"] is None:
                return tuple(found)

    def get_definition(self, definition_id: str) -> Definition:
        """The definition with this id."""
        return self._http.value(self._http.call("GET", _definition(definition_id)), Definition)

    def create_definition(self, body: dict[str, Any]) -> Definition:
        """The new definition."""
        return self._http.value(self._http.call("POST", "/test-definitions", json=body), Definition)

    def replace_definition(
        self, definition_id: str, body: dict[str, Any], *, version: int | None = None
    ) -> Definition:
        """The definition, with what the body says and nothing else.

        Raises:
            PreconditionError: it has not this version any more.
        """
        headers = {"If-Match": f'"{version}"'} if version is not None else {}
        response = self._http.call("PUT", _definition(definition_id), json=body, headers=headers)
        return self._http.value(response, Definition)

    def patch_definition(self, definition_id: str, body: dict[str, Any]) -> Definition:
        """The definition after a JSON Merge Patch."""
        response = self._http.call(
            "PATCH",
            _definition(definition_id),
            data=msgspec.json.encode(body),
            headers={"Content-Type": "application/merge-patch+json"},
        )
        return self._http.value(response, Definition)

    def delete_definition(self, definition_id: str) -> None:
        """Delete it; its runs keep their snapshots."""
        self._http.call("DELETE", _definition(definition_id))

    def run_definition(self, definition_id: str, body: dict[str, Any] | None = None) -> Run:
        """A new run of the definition, with the overrides of the body."""
        response = self._http.call("POST", f"{_definition(definition_id)}/run", json=body or {})
        return self._http.value(response, Run)

    # --- the service -----------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """`{status, timestamp}`; raises UnavailableError when the API or its store is away."""
        return self._http.value(self._http.call("GET", "/health"), dict[str, Any])

    def ready(self) -> dict[str, Any]:
        """`{status, timestamp}`; raises UnavailableError also when the store is not up to date."""
        return self._http.value(self._http.call("GET", "/readyz", outside=True), dict[str, Any])

    def list_controllers(self) -> tuple[ControllerSeen, ...]:
        """Every controller that ever spoke to the API, the one that spoke last first."""
        response = self._http.call("GET", "/controllers")
        return self._http.value(response, tuple[ControllerSeen, ...])


def _run(run_id: str) -> str:
    return f"/test-runs/{quote(run_id, safe='')}"


def _definition(definition_id: str) -> str:
    return f"/test-definitions/{quote(definition_id, safe='')}"
