"""ApiClient: the only caller of the HTTP API."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import requests

from sparktest.domain import Definition, Run, RunPage, RunReport
from sparktest.errors import OffsetError, SparkTestError, UnavailableError, for_status
from sparktest.settings import Settings

CONNECT_SECONDS = 3.05
READ_SECONDS = 30.0
# A follower hears at least a keep-alive within this; silence beyond it means a dead connection.
FOLLOW_SECONDS = 75.0

T = TypeVar("T")
Clean = Callable[[Any], Any]


class ApiClient:
    """Calls the API; every method answers values of sparktest.domain and raises its errors.

    One client is one connection pool; threads may share it. Nothing is retried here: the caller
    knows what may be repeated.

    Args:
        url: the API's address, with /api.
        token: the bearer token, None for none.
        cluster: the uid of the cluster that the caller controls; None for people.
        clean: applied to every decoded JSON answer before it becomes a value: the place where a
            program that shows text to people removes terminal escapes.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        cluster: str | None = None,
        clean: Clean | None = None,
    ) -> None:
        self.url = url
        self._clean = clean
        self._session = requests.Session()
        # No proxies and no .netrc from the environment: both would see or replace the token.
        self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        if cluster:
            self._session.headers["SparkTest-Controller"] = cluster

    @classmethod
    def from_settings(cls, settings: Settings, *, clean: Clean | None = None) -> Self:
        """A client of the API that the settings name."""
        return cls(settings.backend_url, settings.token, clean=clean)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
            "q": q, "since": _time(since), "updatedSince": _time(updated_since),
            "cursor": cursor, "limit": limit,
        }  # fmt: skip
        response = self._call("GET", "/test-runs", params=params)
        runs = self._value(response, tuple[Run, ...])
        following = response.links.get("next", {}).get("url")
        found = parse_qs(urlsplit(following).query).get("cursor") if following else None
        return RunPage(runs=runs, next=found[0] if found else None)

    def get_run(self, run_id: str) -> Run:
        """The run with this id."""
        return self._value(self._call("GET", _run(run_id)), Run)

    def create_run(self, body: dict[str, Any]) -> Run:
        """A new run of origin api, or the registered run of a TestRun (idempotent by uid)."""
        return self._value(self._call("POST", "/test-runs", json=body), Run)

    def delete_run(self, run_id: str) -> str | None:
        """What is left to delete by hand (a kubectl command), None where nothing is."""
        response = self._call("DELETE", _run(run_id))
        return response.headers.get("SparkTest-Remaining")

    def cancel_run(self, run_id: str) -> Run:
        """The run, now asked to stop; its status follows when the controller has stopped it."""
        return self._value(self._call("POST", f"{_run(run_id)}/cancel"), Run)

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
        return int(response.json()["bytes"])

    def get_log(
        self, run_id: str, *, container: str | None = None, tail: int | None = None
    ) -> bytes:
        """The stored log, or its last `tail` lines."""
        params = {"container": container, "tail": tail}
        return self._call("GET", f"{_run(run_id)}/logs", params=params).content

    def follow_log(self, run_id: str, *, container: str | None = None) -> Iterator[bytes]:
        """The log from its beginning, in chunks as they come, until the run has ended."""
        params = {"container": container, "follow": "true"}
        with self._answering():
            response = self._session.get(
                f"{self.url}{_run(run_id)}/logs", params=params, stream=True,
                timeout=(CONNECT_SECONDS, FOLLOW_SECONDS),
            )  # fmt: skip
            with response:
                _raise(response)
                yield from response.iter_content(chunk_size=None)

    # --- definitions -----------------------------------------------------------------------------

    def list_definitions(self, *, q: str | None = None) -> tuple[Definition, ...]:
        """All definitions, newest first."""
        found: list[Definition] = []
        params: dict[str, Any] = {"q": q, "limit": 1000}
        while True:
            response = self._call("GET", "/test-definitions", params=params)
            found += self._value(response, tuple[Definition, ...])
            following = response.links.get("next", {}).get("url")
            if not following:
                return tuple(found)
            params["cursor"] = parse_qs(urlsplit(following).query)["cursor"][0]

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
            response = self._session.request(
                method, f"{self.url}{path}", timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False, **kw,
            )  # fmt: skip
            _raise(response)
            return response

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
            decoded = msgspec.json.decode(response.content)
            return msgspec.convert(self._clean(decoded) if self._clean else decoded, kind)
        except msgspec.MsgspecError as error:
            raise UnavailableError(
                f"{self.url} answered something that SparkTest's API would not: {error}"
            ) from error


def _run(run_id: str) -> str:
    return f"/test-runs/{quote(run_id, safe='')}"


def _definition(definition_id: str) -> str:
    return f"/test-definitions/{quote(definition_id, safe='')}"


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _cause(error: requests.RequestException) -> str:
    """One line without the layers that requests and urllib3 wrap around it."""
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "connection refused or cut"
    return type(error).__name__


def _raise(response: requests.Response) -> None:
    """Raise the class of error that the server raised; nothing below 400.

    A redirect counts as an error: the API sends none, and to follow one would hand on the token.
    """
    if response.status_code < 300:
        return
    problem: dict[str, Any] = {}
    if "json" in response.headers.get("Content-Type", ""):
        try:
            decoded = msgspec.json.decode(response.content)
        except msgspec.MsgspecError:
            decoded = None
        problem = decoded if isinstance(decoded, dict) else {}
    detail = str(problem.get("detail") or f"HTTP {response.status_code} {response.reason}")
    if "stored" in problem:
        raise OffsetError(detail, stored=int(problem["stored"]))
    after = response.headers.get("Retry-After", "")
    kind: type[SparkTestError] = for_status(response.status_code)
    raise kind(
        detail, errors=problem.get("errors") or (),
        retry_after=float(after) if after.isdecimal() else None,
    )  # fmt: skip
