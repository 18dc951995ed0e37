"""HTTP transport: send requests to the API, and return values or raise errors."""

import json as json_encoder
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from urllib3 import BaseHTTPResponse, Timeout, connection_from_url
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as RequestTimeoutError
from urllib3.util import make_headers

from sparktest import __version__
from sparktest.backoff import Backoff
from sparktest.errors import InvalidError, SparkTestError, UnavailableError
from sparktest.event_stream import MIMETYPE, EventReader, ServerEvent
from sparktest.responses import Clean, Warn, read_error, read_warnings, unchanged
from sparktest.write_guard import guard_writes

CONNECT_TIMEOUT_SECONDS = 3.05
READ_TIMEOUT_SECONDS = 30.0
# A silent test and a dead connection look the same: after this time, a follower requests the
# rest of the log again.
STREAM_TIMEOUT_SECONDS = 60.0
# The threads of a controller (workers and logs) call at once; opened only when needed.
MAX_CONNECTIONS = 544
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

    Raises:
        InvalidError: the URL does not have a valid host.
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
        self._read_timeout = timeout_seconds or READ_TIMEOUT_SECONDS
        self._write_timeout = write_timeout_seconds or self._read_timeout
        agent = f"sparktest/{__version__}"
        self._headers = make_headers(accept_encoding=True, user_agent=agent) | headers
        # The path of the URL, such as /api.
        self._root = urlsplit(url).path
        # It ignores proxies and .netrc of the environment: they would see or replace the token.
        try:
            self._pool = connection_from_url(url, maxsize=MAX_CONNECTIONS)
        except LocationParseError as error:
            raise InvalidError(f"{url} does not have a valid host") from error
        if before_write:
            guard_writes(self._pool, before_write)

    def close(self) -> None:
        """Close the connections; the transport cannot be used afterwards."""
        self._pool.close()

    def call(self, method: str, path: str, *, outside: bool = False, **kw: Any) -> BaseHTTPResponse:
        """Send a request; return the response or raise the error that the server raised.

        With `outside`, the path is not below /api. The others are `params` of the query, the body
        as `json` or `data`, and `headers`.
        """
        root = self._root.removesuffix("/api") if outside else self._root
        timeout = self._read_timeout if method == "GET" else self._write_timeout
        try:
            with self._mapped_errors():
                response = self._send(method, f"{root}{path}", timeout, **kw)
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
            self._send("GET", f"{self._root}{path}", STREAM_TIMEOUT_SECONDS, **request) as response,
        ):
            as_events = response.headers.get("Content-Type", "").startswith(MIMETYPE)
            reader = EventReader()
            try:
                for chunk in response.stream(None):
                    yield from reader.feed(chunk) if as_events else (chunk,)
            except RequestTimeoutError as error:
                raise StreamTimeoutError(_cause(error)) from error

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

    def value(self, response: BaseHTTPResponse, kind: type[T]) -> T:
        """Return the cleaned JSON of a response as a value of this type."""
        return self.decode(response.data, kind)

    def decode(self, data: bytes, kind: type[T]) -> T:
        """Return cleaned JSON as a value of this type."""
        try:
            if self.clean is unchanged:
                return msgspec.json.decode(data, type=kind)
            return msgspec.convert(self.clean(msgspec.json.decode(data)), kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnavailableError(f"{self.url} sent an invalid response: {error}") from error

    def _send(
        self,
        method: str,
        path: str,
        read_timeout: float,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> BaseHTTPResponse:
        connect_timeout = self._timeout_seconds or CONNECT_TIMEOUT_SECONDS
        sent = {**self._headers, **(headers or {})}
        if json is not None:
            data, sent["Content-Type"] = _encode(json), "application/json"
        response = self._pool.urlopen(
            method,
            _target(path, params),
            data,
            sent,
            retries=False,
            redirect=False,
            timeout=Timeout(connect=connect_timeout, read=read_timeout),
            preload_content=not stream,
        )
        for text in read_warnings(response.headers, self.clean):
            self._warn(text)
        if response.status < 300:
            return response
        body, reason = response.data, response.reason or ""
        response.close()
        raise read_error(self.url, response.status, reason, response.headers, body, self.clean)

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except HTTPError as error:
            kind = LostResponseError if isinstance(error, ProtocolError) else UnavailableError
            raise kind(f"the API at {self.url} cannot be reached: {_cause(error)}") from error


def _encode(value: Any) -> bytes:
    try:
        return json_encoder.dumps(value, allow_nan=False).encode()
    except ValueError as error:
        raise InvalidError(f"the request cannot be sent as JSON: {error}") from error


def _target(path: str, params: Mapping[str, Any] | None) -> str:
    """Return path and query; a parameter that is None is left out, a list is repeated."""
    given = {name: value for name, value in (params or {}).items() if value is not None}
    query = urlencode(given, doseq=True)
    return f"{path}?{query}" if query else path


def _cause(error: HTTPError) -> str:
    """Return the cause in one line, without the wrappers of urllib3."""
    if isinstance(error, SSLError):
        return "its TLS certificate is not trusted"
    if isinstance(error, NameResolutionError | LocationParseError):
        return "the host name cannot be resolved"
    if isinstance(error, ProtocolError | NewConnectionError):
        return "connection refused or lost"
    return "timed out" if isinstance(error, RequestTimeoutError) else type(error).__name__
