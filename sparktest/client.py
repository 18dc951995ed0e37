"""ApiClient: the only caller of the HTTP API."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import quote

import msgspec
import requests

from sparktest.domain import Definition, Run, RunPage, RunReport
from sparktest.errors import UnavailableError
from sparktest.replies import Clean, Warn, cursor_of, error_of, warnings_of
from sparktest.settings import Settings

CONNECT_SECONDS = 3.05
READ_SECONDS = 30.0
# A test may be silent for as long as it likes, and a dead connection is silent too: after this
# long a follower asks again from where it is.
SILENT_SECONDS = 60.0

T = TypeVar("T")


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
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        cluster: str | None = None,
        clean: Clean | None = None,
        warn: Warn | None = None,
    ) -> None:
        self.url = url
        self._clean = clean or (lambda value: value)
        self._warn = warn or (lambda text: None)
        self._session = requests.Session()
        # No proxies and no .netrc from the environment: both would see or replace the token.
        self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        if cluster:
            self._session.headers["SparkTest-Controller"] = cluster

    @classmethod
    def from_settings(
        cls, settings: Settings, *, clean: Clean | None = None, warn: Warn | None = None
    ) -> Self:
        """A client of the API that the settings name, for a program that people use."""
        return cls(settings.backend_url, settings.token, clean=clean, warn=warn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client is not used afterwards."""
        self._session.close()

    # --- runs ------------------------------------------------------------------------------------

    def list_runs(
        self,
        *,
        status: Sequence[str] = (),
        origin: Sequence[str] = (),
        namespace: Sequence[str] = (),
        q: str | None = None,
        since: datetime | None = None,
        updated_since: datetime | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> RunPage:
        """A page of runs, newest first."""
        params: dict[str, Any] = {
            "status": list(status), "origin": list(origin), "namespace": list(namespace),
            "q": q, "since": since, "updatedSince": updated_since, "cursor": cursor, "limit": limit,
        }  # fmt: skip
        response = self._call("GET", "/test-runs", params=msgspec.to_builtins(params))
        runs = self._value(response, tuple[Run, ...])
        return RunPage(runs=runs, next=cursor_of(response.links.get("next", {}).get("url")))

    def get_run(self, run_id: str) -> Run:
        """The run with this id."""
        return self._value(self._call("GET", _run(run_id)), Run)

    def create_run(self, body: dict[str, Any]) -> Run:
        """A new run of origin api, or the registered run of a TestRun (idempotent by uid)."""
        return self._value(self._call("POST", "/test-runs", json=body), Run)

    def delete_run(self, run_id: str) -> str | None:
        """What is left to delete by hand (a kubectl command), None where nothing is."""
        remaining = self._call("DELETE", _run(run_id)).headers.get("SparkTest-Remaining")
        return str(self._clean(remaining)) if remaining else None

    def cancel_run(self, run_id: str) -> Run:
        """The run, now asked to stop; its status follows when the controller has stopped it."""
        return self._value(self._call("POST", f"{_run(run_id)}/cancel"), Run)

    def rerun_run(self, run_id: str) -> Run:
        """A new API run that runs what this one ran."""
        return self._value(self._call("POST", f"{_run(run_id)}/rerun"), Run)

    def claim_run(self, run_id: str, cluster: str) -> Run:
        """The run, now of this cluster. ConflictError when another cluster has it."""
        return self._value(
            self._call("PUT", f"{_run(run_id)}/claim", json={"cluster": cluster}), Run
        )

    def report_run(self, run_id: str, report: RunReport) -> Run:
        """The run as it stands after the report, applied or not."""
        body = msgspec.to_builtins(report)
        return self._value(self._call("PUT", f"{_run(run_id)}/report", json=body), Run)

    # --- logs ------------------------------------------------------------------------------------

    def append_log(self, run_id: str, container: str, offset: int, data: bytes) -> int:
        """The number of bytes stored after the append.

        Raises:
            OffsetError: the chunk does not join what is stored; `stored` says where it ends.
        """
        response = self._call(
            "PUT", f"{_run(run_id)}/logs/{quote(container, safe='')}",
            params={"offset": offset}, data=data,
            headers={"Content-Type": "application/octet-stream"},
        )  # fmt: skip
        return self._value(response, _Stored).bytes

    def get_log(
        self, run_id: str, *, container: str | None = None, tail: int | None = None
    ) -> bytes:
        """The stored log, or its last `tail` lines."""
        params = {"container": container, "tail": tail}
        return self._call("GET", f"{_run(run_id)}/logs", params=params).content

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
                for chunk in self._stream(f"{_run(run_id)}/logs", params):
                    offset += len(chunk)
                    yield chunk
            except _SilentError:
                continue
            return

    # --- definitions -----------------------------------------------------------------------------

    def list_definitions(self, *, q: str | None = None) -> tuple[Definition, ...]:
        """All definitions, newest first."""
        found: list[Definition] = []
        params: dict[str, Any] = {"q": q, "limit": 1000}
        while True:
            response = self._call("GET", "/test-definitions", params=params)
            found += self._value(response, tuple[Definition, ...])
            params["cursor"] = cursor_of(response.links.get("next", {}).get("url"))
            if params["cursor"] is None:
                return tuple(found)

    def get_definition(self, definition_id: str) -> Definition:
        """The definition with this id."""
        return self._value(self._call("GET", _definition(definition_id)), Definition)

    def create_definition(self, body: dict[str, Any]) -> Definition:
        """The new definition."""
        return self._value(self._call("POST", "/test-definitions", json=body), Definition)

    def replace_definition(self, definition_id: str, body: dict[str, Any]) -> Definition:
        """The definition, with what the body says and nothing else."""
        return self._value(self._call("PUT", _definition(definition_id), json=body), Definition)

    def patch_definition(self, definition_id: str, body: dict[str, Any]) -> Definition:
        """The definition after a JSON Merge Patch."""
        response = self._call(
            "PATCH", _definition(definition_id), data=msgspec.json.encode(body),
            headers={"Content-Type": "application/merge-patch+json"},
        )  # fmt: skip
        return self._value(response, Definition)

    def delete_definition(self, definition_id: str) -> None:
        """Delete it; its runs keep their snapshots."""
        self._call("DELETE", _definition(definition_id))

    def run_definition(self, definition_id: str, body: dict[str, Any] | None = None) -> Run:
        """A new run of the definition, with the overrides of the body."""
        response = self._call("POST", f"{_definition(definition_id)}/run", json=body or {})
        return self._value(response, Run)

    # --- the service -----------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """`{status, timestamp}`; raises UnavailableError when the API or its store is away."""
        return self._value(self._call("GET", "/health"), dict[str, Any])

    # --- the wire --------------------------------------------------------------------------------

    def _call(self, method: str, path: str, **kw: Any) -> requests.Response:
        with self._answering():
            return self._send(method, path, READ_SECONDS, **kw)

    def _stream(self, path: str, params: dict[str, Any]) -> Iterator[bytes]:
        request = {"params": params, "stream": True}
        with self._answering(), self._send("GET", path, SILENT_SECONDS, **request) as response:
            try:
                yield from response.iter_content(chunk_size=None)
            except requests.ConnectionError as error:
                if _timed_out(error):
                    raise _SilentError(_cause(error)) from error
                raise

    def _send(self, method: str, path: str, silence: float, **kw: Any) -> requests.Response:
        response = self._session.request(
            method, f"{self.url}{path}", timeout=(CONNECT_SECONDS, silence),
            allow_redirects=False, **kw,
        )  # fmt: skip
        for text in warnings_of(response.headers, self._clean):
            self._warn(text)
        if response.status_code < 300:
            return response
        with response:
            raise error_of(
                response.status_code, response.reason, response.headers, response.content,
                self._clean,
            )  # fmt: skip

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            raise UnavailableError(
                f"the API at {self.url} does not answer: {_cause(error)}"
            ) from error

    def _value(self, response: requests.Response, kind: type[T]) -> T:
        try:
            return msgspec.convert(self._clean(msgspec.json.decode(response.content)), kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnavailableError(
                f"{self.url} answered something that SparkTest's API would not: {error}"
            ) from error


class _SilentError(UnavailableError):
    """Nothing came for so long that the connection may be dead."""


class _Stored(msgspec.Struct):
    bytes: int


def _run(run_id: str) -> str:
    return f"/test-runs/{quote(run_id, safe='')}"


def _definition(definition_id: str) -> str:
    return f"/test-definitions/{quote(definition_id, safe='')}"


def _timed_out(error: requests.RequestException) -> bool:
    # Of a stream requests says so in words only.
    return isinstance(error, requests.Timeout) or "Read timed out" in str(error)


def _cause(error: requests.RequestException) -> str:
    """One line without the layers that requests and urllib3 wrap around it."""
    if _timed_out(error):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not trusted"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "connection refused or cut"
    return type(error).__name__
