"""The wire: requests to the HTTP API, and its answers as values or errors."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import requests

from sparktest.errors import UnavailableError
from sparktest.responses import Clean, Warn, error_of, warnings_of

CONNECT_TIMEOUT_SECONDS = 3.05
READ_TIMEOUT_SECONDS = 30.0
# A test may be silent for as long as it likes, and a dead connection is silent too: after this
# long a follower asks again from where it is.
STREAM_TIMEOUT_SECONDS = 60.0

T = TypeVar("T")


class StreamTimeoutError(UnavailableError):
    """Nothing came for so long that the connection may be dead."""


class HttpTransport:
    """Sends requests below one address over one connection pool; `sparktest.client` says which.

    Args:
        url: what every path begins with.
        headers: sent with every request.
        clean: applied to every decoded JSON answer and every text of a header.
        warn: called with every warning that comes with an answer.
        seconds: how long to wait for a connection, and for an answer; None: as usual.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        clean: Clean,
        warn: Warn,
        seconds: float | None = None,
    ) -> None:
        self.url = url
        self.clean = clean
        self._warn = warn
        self._seconds = seconds
        self._session = requests.Session()
        # No proxies and no .netrc from the environment: both would see or replace the token.
        self._session.trust_env = False
        self._session.headers.update(headers)

    def close(self) -> None:
        """Close the connections; the wire is not used afterwards."""
        self._session.close()

    def call(
        self, method: str, path: str, *, outside: bool = False, **kw: Any
    ) -> requests.Response:
        """The answer; its errors are raised as the server raised them.

        `outside`: the path is beside /api, not below it.
        """
        url = self.url.removesuffix("/api") if outside else self.url
        with self._answering():
            return self._send(method, f"{url}{path}", self._seconds or READ_TIMEOUT_SECONDS, **kw)

    def stream(self, path: str, params: dict[str, Any]) -> Iterator[bytes]:
        """The body of a GET in chunks as they come; StreamTimeoutError when it may be dead."""
        url, request = f"{self.url}{path}", {"params": params, "stream": True}
        with (
            self._answering(),
            self._send("GET", url, STREAM_TIMEOUT_SECONDS, **request) as response,
        ):
            try:
                yield from response.iter_content(chunk_size=None)
            except requests.ConnectionError as error:
                if _timed_out(error):
                    raise StreamTimeoutError(_cause(error)) from error
                raise

    def value(self, response: requests.Response, kind: type[T]) -> T:
        """The JSON document of an answer as a value, safe to show."""
        try:
            return msgspec.convert(self.clean(msgspec.json.decode(response.content)), kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnavailableError(
                f"{self.url} answered something that SparkTest's API would not: {error}"
            ) from error

    def _send(self, method: str, url: str, silence: float, **kw: Any) -> requests.Response:
        response = self._session.request(
            method,
            url,
            timeout=(self._seconds or CONNECT_TIMEOUT_SECONDS, silence),
            allow_redirects=False,
            **kw,
        )
        for text in warnings_of(response.headers, self.clean):
            self._warn(text)
        if response.status_code < 300:
            return response
        with response:
            raise error_of(
                response.status_code,
                response.reason,
                response.headers,
                response.content,
                self.clean,
            )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            raise UnavailableError(
                f"the API at {self.url} does not answer: {_cause(error)}"
            ) from error


def _timed_out(error: requests.RequestException) -> bool:
    # Of a stream requests says so in words only.
    return isinstance(error, requests.Timeout) or "Read timed out" in str(error)


def _is_unknown_host(error: BaseException) -> bool:
    """Return True when the error was caused by a failed DNS lookup."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, socket.gaierror):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _cause(error: requests.RequestException) -> str:
    """One line without the layers that requests and urllib3 wrap around it."""
    if _timed_out(error):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not trusted"
    if _is_unknown_host(error):
        return "the host name cannot be resolved"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "connection refused or lost"
    return type(error).__name__
