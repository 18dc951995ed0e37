"""Requests to a Kubernetes API over the official client's pool, TLS and credentials.

JSON goes out and comes back as plain values: the client's typed models cost twice the time and
refuse or drop what they do not know.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import msgspec
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from sparktest import __version__
from sparktest.errors import (
    InvalidError,
    SparkTestError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from sparktest.kube.answers import cause_of, error_of
from sparktest.kube.streams import ByteStream

Query = Mapping[str, str | int | None]
JSON = "application/json"
# Far above any object (etcd takes 1.5 MiB) and any sane page of a list.
MAX_BODY = 64 * 2**20
MAX_ERROR = 64 * 2**10


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. A watch hears a bookmark each minute; silence beyond `watch` is a dead one."""

    connect: float = 3.05
    read: float = 30.0
    watch: float = 75.0


class Transport:
    """Sends requests; one connection pool, shared by threads, never across a fork.

    Args:
        load: reads the configuration; called again when the cluster answers 401.
        pool: how many connections are kept.
    """

    def __init__(self, load: Callable[[], Configuration], *, pool: int, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._load = load
        self._pool = pool
        self._lock = threading.Lock()
        self._api = self._client()

    @property
    def host(self) -> str:
        """The address of the API, such as https://10.0.0.1:6443."""
        return str(self._api.configuration.host)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """The JSON object that the API answers.

        Raises:
            SparkTestError: the class that belongs to the answer's status; UnavailableError where
                there was no answer; TooLargeError for one of more than MAX_BODY bytes.
        """
        timeout = (self.timeouts.connect, self.timeouts.read)
        response = self._request(method, path, query, body, content_type, timeout)
        with self._answering():
            data = response.read(MAX_BODY + 1)
        if len(data) > MAX_BODY:
            response.close()
            raise TooLargeError(f"the Kubernetes API answers more than {MAX_BODY} bytes: {path}")
        response.release_conn()
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise UnavailableError(
                f"the Kubernetes API at {self.host} answers what is no JSON object: {path}"
            ) from error

    def stream(
        self, path: str, *, query: Query | None = None, read_seconds: float | None
    ) -> ByteStream:
        """The body of a GET in chunks as they come; the caller closes it.

        Silence of `read_seconds` raises UnavailableError; None waits for ever.
        """
        timeout = (self.timeouts.connect, read_seconds)
        response = self._request("GET", path, query, None, JSON, timeout)
        return ByteStream(response, self._answering)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._api.close()

    def _client(self) -> ApiClient:
        configuration = self._load()
        configuration.connection_pool_maxsize = self._pool
        try:
            client = ApiClient(configuration)
        except (HTTPError, ValueError, ImportError) as error:
            # Not quoted: the address of a proxy may hold a password.
            raise InvalidError(
                f"the proxy for the Kubernetes API at {configuration.host} cannot be used "
                f"({type(error).__name__}); see proxy-url in the kubeconfig and HTTPS_PROXY"
            ) from None
        client.user_agent = f"sparktest/{__version__}"
        return client

    def _request(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Any,
        content_type: str,
        timeout: tuple[float, float | None],
    ) -> BaseHTTPResponse:
        given = {key: value for key, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        api = self._api
        response = self._send(api, method, target, body, content_type, timeout)
        if response.status == 401:
            response.close()
            response = self._send(self._renewed(api), method, target, body, content_type, timeout)
        if response.status >= 300:
            raise self._error(response)
        return response

    def _send(
        self,
        api: ApiClient,
        method: str,
        target: str,
        body: Any,
        content_type: str,
        timeout: tuple[float, float | None],
    ) -> BaseHTTPResponse:
        headers = {"Accept": "*/*" if method == "GET" else JSON, "User-Agent": api.user_agent}
        if body is not None:
            headers["Content-Type"] = content_type
        with self._answering():
            with self._lock:  # a token that ran out is fetched once, not once a thread
                api.update_params_for_auth(headers, [], ["BearerToken"], target, method, None)
            _check_token(headers)
            url = api.configuration.host + target
            answer = api.call_api(method, url, headers, body, _request_timeout=timeout)
            response: BaseHTTPResponse = answer.response
            return response

    def _renewed(self, refused: ApiClient) -> ApiClient:
        """A client with credentials read after the refused one's; threads share it."""
        with self._lock:
            if self._api is refused:
                try:
                    self._api = self._client()
                except InvalidError as error:
                    raise UnauthorizedError(
                        "the Kubernetes API refuses our credentials, and they cannot be read "
                        f"anew: {error.detail}"
                    ) from error
            return self._api

    def _error(self, response: BaseHTTPResponse) -> SparkTestError:
        with self._answering():
            body = response.read(MAX_ERROR)
        response.close()
        return error_of(response.status, response.headers, body)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (HTTPError, ApiException, ConfigException, OSError) as error:
            raise UnavailableError(
                f"the Kubernetes API at {self.host} does not answer: {cause_of(error)}"
            ) from error


def _check_token(headers: dict[str, str]) -> None:
    token = headers.get("authorization")
    if token is None:
        return
    # A token file often ends with a newline. What else cannot stand in a header is said here:
    # http.client would quote the whole token in its error.
    headers["authorization"] = token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise UnauthorizedError(
            "the token of the Kubernetes configuration holds characters that no header can carry"
        )
