"""HTTP transport: send requests to the API, and return values or raise errors."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter

from sparktest.backoff import Backoff
from sparktest.errors import SparkTestError, UnavailableError
from sparktest.event_stream import MIMETYPE, EventReader, ServerEvent
from sparktest.responses import Clean, Warn, read_error, read_warnings

CONNECT_TIMEOUT_SECONDS = 3.05
READ_TIMEOUT_SECONDS = 30.0
# A silent test and a dead connection look the same: after this time, a follower requests the
# rest of the log again.
STREAM_TIMEOUT_SECONDS = 60.0
# The threads of a controller (workers and logs) call at once; opened only when needed.
MAX_CONNECTIONS = 100
KEY_HEADER = "Idempotency-Key"
# After a lost response: about as long as a server takes to start again.
RETRIES = Backoff(first=0.2, cap=2.0)
CREATE_RETRIES = 4

T = TypeVar("T")
# Called with the method and the error of a request, None for a response without one.
OnResult = Callable[[str, SparkTestError | None], None]


class StreamTimeoutError(UnavailableError):
    """Error for a stream without data for so long that the connection may be dead."""


class LostResponseError(UnavailableError):
    """Error for a connection that broke after the request was sent: it may have been executed."""


class HttpTransport:
    """Connection pool for requests below one URL.

    Args:
        url: prefix of every path.
        headers: sent with every request.
        clean: applied to decoded JSON and to header texts.
        warn: called with the text of every warning in a response.
        timeout_seconds: timeout of connecting and of a response; None for the defaults.
        before_write: called before every request that is not a GET; may raise to prevent it.
        write_timeout_seconds: timeout of the response to a write, if it is another one.

    Attributes:
        on_result: called after every request, but not for streams.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        clean: Clean,
        warn: Warn,
        timeout_seconds: float | None = None,
        before_write: Callable[[], None] | None = None,
        write_timeout_seconds: float | None = None,
    ) -> None:
        self.on_result: OnResult = lambda method, error: None
        self.url = url
        self.clean = clean
        self._warn = warn
        self._timeout_seconds = timeout_seconds
        self._before_write = before_write
        self._read_timeout = timeout_seconds or READ_TIMEOUT_SECONDS
        self._write_timeout = write_timeout_seconds or self._read_timeout
        self._session = requests.Session()
        # Ignore proxies and .netrc of the environment: they would see or replace the token.
        self._session.trust_env = False
        self._session.headers.update(headers)
        adapter = HTTPAdapter(pool_maxsize=MAX_CONNECTIONS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def close(self) -> None:
        """Close the connections; the transport cannot be used afterwards."""
        self._session.close()

    def call(
        self, method: str, path: str, *, outside: bool = False, **kw: Any
    ) -> requests.Response:
        """Send a request; return the response or raise the error that the server raised.

        With `outside`, the path is not below /api.
        """
        url = self.url.removesuffix("/api") if outside else self.url
        timeout = self._read_timeout if method == "GET" else self._write_timeout
        try:
            with self._mapped_errors():
                response = self._send(method, f"{url}{path}", timeout, **kw)
        except SparkTestError as error:
            self.on_result(method, error)
            raise
        self.on_result(method, None)
        return response

    def stream(
        self, path: str, params: dict[str, Any], *, accept: str = "*/*", **headers: str
    ) -> Iterator[bytes | ServerEvent]:
        """Yield the body of a GET in parts: Server-Sent Events, or bytes of another type.

        Raises:
            StreamTimeoutError: no data arrived for STREAM_TIMEOUT_SECONDS.
        """
        sent = {"Accept": accept, **headers}
        request: dict[str, Any] = {"params": params, "stream": True, "headers": sent}
        with (
            self._mapped_errors(),
            self._send("GET", f"{self.url}{path}", STREAM_TIMEOUT_SECONDS, **request) as response,
        ):
            as_events = response.headers.get("Content-Type", "").startswith(MIMETYPE)
            reader = EventReader()
            try:
                for chunk in response.iter_content(chunk_size=None):
                    yield from reader.feed(chunk) if as_events else (chunk,)
            except requests.ConnectionError as error:
                if _timed_out(error):
                    raise StreamTimeoutError(_cause(error)) from error
                raise

    def fetch(self, kind: type[T], method: str, path: str, **kw: Any) -> T:
        """Send a request; return the JSON of its response as a value of this type."""
        return self.value(self.call(method, path, **kw), kind)

    def create(self, kind: type[T], path: str, body: Any) -> T:
        """Send a POST that creates something; return the JSON of its response.

        Its Idempotency-Key lets the server execute it once, so it is sent again when the connection
        breaks before the response has arrived, also while the server starts again.
        """
        send = partial(
            self.fetch, kind, "POST", path, json=body, headers={KEY_HEADER: str(uuid.uuid4())}
        )
        for failures in range(CREATE_RETRIES):
            try:
                return send()
            except UnavailableError as error:
                # After a lost response, the server may be starting again.
                if failures == 0 and not isinstance(error, LostResponseError):
                    raise
            time.sleep(RETRIES.delay(failures))
        return send()

    def value(self, response: requests.Response, kind: type[T]) -> T:
        """Return the cleaned JSON of a response as a value of this type."""
        return self.decode(response.content, kind)

    def decode(self, data: bytes, kind: type[T]) -> T:
        """Return cleaned JSON as a value of this type."""
        try:
            return msgspec.convert(self.clean(msgspec.json.decode(data)), kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnavailableError(f"{self.url} sent an invalid response: {error}") from error

    def _send(self, method: str, url: str, read_timeout: float, **kw: Any) -> requests.Response:
        if self._before_write and method != "GET":
            self._before_write()
        response = self._session.request(
            method,
            url,
            timeout=(self._timeout_seconds or CONNECT_TIMEOUT_SECONDS, read_timeout),
            allow_redirects=False,
            **kw,
        )
        for text in read_warnings(response.headers, self.clean):
            self._warn(text)
        if response.status_code < 300:
            return response
        with response:
            raise read_error(
                self.url,
                response.status_code,
                response.reason,
                response.headers,
                response.content,
                self.clean,
            )

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            kind = LostResponseError if _is_lost(error) else UnavailableError
            raise kind(f"the API at {self.url} cannot be reached: {_cause(error)}") from error


def _timed_out(error: requests.RequestException) -> bool:
    # For a stream, requests reports a timeout only in its message.
    return isinstance(error, requests.Timeout) or "Read timed out" in str(error)


def _is_lost(error: requests.RequestException) -> bool:
    """Return True when there was a connection, which broke."""
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return True
    return isinstance(error, requests.ConnectionError) and isinstance(
        next(iter(error.args), None), urllib3.exceptions.ProtocolError
    )


def _is_unknown_host(error: BaseException) -> bool:
    """Return True when the error was caused by a failed DNS lookup."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, socket.gaierror):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _cause(error: requests.RequestException) -> str:
    """Return the cause in one line, without the wrappers of requests and urllib3."""
    if _timed_out(error):
        return "timed out"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not trusted"
    if _is_unknown_host(error):
        return "the host name cannot be resolved"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "connection refused or lost"
    return type(error).__name__
