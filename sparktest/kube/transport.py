"""Send requests to the Kubernetes API with the official client's pool, TLS and credentials.

JSON is sent and received as plain values: the client's typed models take twice as long, and
reject or drop unknown fields. Its REST client takes longer than its pool, too.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from sparktest import __version__
from sparktest.errors import (
    InvalidError,
    SparkTestError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from sparktest.kube.decoding import decode
from sparktest.kube.status import error_from_response, root_cause
from sparktest.kube.streams import ByteStream
from sparktest.write_guard import guard_writes

T = TypeVar("T")
Query = Mapping[str, str | int | None]
OnResponse = Callable[[str, str, int | None], None]
JSON = "application/json"
OBJECT = msgspec.json.Decoder(dict[str, Any])
# Far above the size of any object (1.5 MiB in etcd) and any reasonable page of a list.
MAX_BODY_BYTES = 64 * 2**20
MAX_ERROR_BYTES = 64 * 2**10


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Timeouts in seconds.

    A watch receives a bookmark each minute: without data for `watch` seconds, it is dead.
    """

    connect: float = 3.05
    read: float = 30.0
    watch: float = 75.0


class Transport:
    """Sends requests over one connection pool; threads may share it, forked processes may not.

    Args:
        load: reads the configuration; called again when the cluster answers 401.
        pool_size: the most connections that are kept.
        before_write: called before every request that is not a GET; may raise to prevent it.
        on_response: called with host, method and status of every response; None for no response.
    """

    def __init__(
        self,
        load: Callable[[], Configuration],
        *,
        pool_size: int,
        timeouts: Timeouts,
        before_write: Callable[[], None] | None = None,
        on_response: OnResponse | None = None,
    ) -> None:
        self.timeouts = timeouts
        self._load = load
        self._pool_size = pool_size
        self._before_write = before_write
        self._on_response = on_response or (lambda host, method, status: None)
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
        """Send a request and return the JSON object of the response.

        Raises:
            SparkTestError: the class for the status of the response; UnavailableError without a
                response; TooLargeError for a response of more than MAX_BODY_BYTES.
        """
        timeout = Timeout(connect=self.timeouts.connect, read=self.timeouts.read)
        response = self._request(method, path, query, body, content_type, timeout)
        return self._decoded(response, path, OBJECT)

    def fetch(self, path: str, query: Query, decoder: msgspec.json.Decoder[T]) -> T:
        """Send a GET request and return what this decoder makes of the response; see `call`."""
        timeout = Timeout(connect=self.timeouts.connect, read=self.timeouts.read)
        response = self._request("GET", path, query, None, JSON, timeout)
        return self._decoded(response, path, decoder)

    def stream(self, path: str, *, query: Query, read_seconds: float) -> ByteStream:
        """Send a GET request and return its body as a stream, which the caller closes.

        The stream raises UnavailableError after `read_seconds` without data.
        """
        timeout = Timeout(connect=self.timeouts.connect, read=read_seconds)
        response = self._request("GET", path, query, None, JSON, timeout)
        return ByteStream(response, self._map_errors)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._api.close()

    def _decoded(
        self, response: BaseHTTPResponse, path: str, decoder: msgspec.json.Decoder[T]
    ) -> T:
        with self._map_errors():
            data = response.read(MAX_BODY_BYTES + 1)
        if len(data) > MAX_BODY_BYTES:
            response.close()
            raise TooLargeError(f"the Kubernetes API sent more than {MAX_BODY_BYTES} bytes: {path}")
        response.release_conn()
        try:
            return decode(data, decoder)
        except msgspec.MsgspecError as error:
            raise UnavailableError(
                f"the Kubernetes API at {self.host} did not send a JSON object: {path}"
            ) from error

    def _client(self) -> ApiClient:
        configuration = self._load()
        configuration.connection_pool_maxsize = self._pool_size
        try:
            client = ApiClient(configuration)
        except (HTTPError, ValueError, ImportError) as error:
            # Not quoted: the URL of a proxy may contain a password.
            raise InvalidError(
                f"the proxy for the Kubernetes API at {configuration.host} cannot be used "
                f"({type(error).__name__}); see proxy-url in the kubeconfig and HTTPS_PROXY"
            ) from None
        client.user_agent = f"sparktest/{__version__}"
        if self._before_write:
            guard_writes(client.rest_client.pool_manager, self._before_write)
        return client

    def _request(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Any,
        content_type: str,
        timeout: Timeout,
    ) -> BaseHTTPResponse:
        params = {key: value for key, value in (query or {}).items() if value is not None}
        target = f"{path}?{urlencode(params)}" if params else path
        api = self._api
        response = self._send(api, method, target, body, content_type, timeout)
        if response.status == 401:
            response.close()
            response = self._send(self._reload(api), method, target, body, content_type, timeout)
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
        timeout: Timeout,
    ) -> BaseHTTPResponse:
        headers = {"Accept": "*/*" if method == "GET" else JSON, "User-Agent": api.user_agent}
        if body is not None:
            headers["Content-Type"] = content_type
        with self._map_errors():
            with self._lock:  # fetch an expired token once, not in each thread
                api.update_params_for_auth(headers, [], ["BearerToken"], target, method, None)
            _check_token(headers)
            url = api.configuration.host + target
            status = None
            try:
                response: BaseHTTPResponse = api.rest_client.pool_manager.urlopen(
                    method,
                    url,
                    body=None if body is None else json.dumps(body),
                    headers=headers,
                    timeout=timeout,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
                status = response.status
            finally:
                self._on_response(api.configuration.host, method, status)
            return response

    def _reload(self, rejected: ApiClient) -> ApiClient:
        """Return a client whose credentials are newer than those of the rejected one."""
        with self._lock:
            if self._api is rejected:
                try:
                    self._api = self._client()
                except InvalidError as error:
                    raise UnauthorizedError(
                        "the Kubernetes API rejects the credentials, and they cannot be read "
                        f"again: {error.detail}"
                    ) from error
            return self._api

    def _error(self, response: BaseHTTPResponse) -> SparkTestError:
        with self._map_errors():
            body = response.read(MAX_ERROR_BYTES)
        response.close()
        return error_from_response(response.status, response.headers, body)

    @contextmanager
    def _map_errors(self) -> Iterator[None]:
        try:
            yield
        except (HTTPError, ApiException, ConfigException, OSError) as error:
            raise UnavailableError(
                f"the Kubernetes API at {self.host} cannot be reached: {root_cause(error)}"
            ) from error


def _check_token(headers: dict[str, str]) -> None:
    token = headers.get("authorization")
    if token is None:
        return
    # A token file often ends with a newline. Other characters that are invalid in a header are
    # rejected here: http.client would quote the whole token in its error.
    headers["authorization"] = token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise UnauthorizedError(
            "the token of the Kubernetes configuration contains characters that are invalid in a "
            "header"
        )
