"""The HTTP server of the controller: /metrics, /healthz and /readyz."""

import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sparktest.controller.metrics import ControllerMetrics
from sparktest.errors import InvalidError

TEXT = "text/plain; charset=utf-8"
MAX_CONNECTIONS = 16
REQUEST_SECONDS = 5.0
ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


class Page(NamedTuple):
    """The answer to a GET."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


def metrics_page(metrics: ControllerMetrics) -> Page:
    """Return all metrics in the text format of Prometheus."""
    return Page(HTTPStatus.OK, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)


def check_page(problems: list[str]) -> Page:
    """Return 200 `ok`, or 503 and the problems, one a line."""
    if not problems:
        return Page(HTTPStatus.OK, b"ok\n")
    return Page(HTTPStatus.SERVICE_UNAVAILABLE, "".join(f"{line}\n" for line in problems).encode())


def parse_bind(text: str) -> tuple[str, int]:
    """Return host and port of `host:port`, `[v6]:port`, or `:port`, which means all addresses.

    Raises:
        InvalidError: it is none of these.
    """
    found = ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise InvalidError(
            f"SPARKTEST_CONTROLLER_METRICS_BIND: {text!r} is not an address such as "
            "127.0.0.1:8081, [::1]:8081 or :8081, nor off"
        )
    return found["v6"] or found["host"] or "", int(found["port"])


class MetricsServer:
    """Serves some pages in threads; at most MAX_CONNECTIONS clients have one.

    Args:
        bind: as `parse_bind` takes it.
        pages: by path; called in a thread of the server.

    Raises:
        InvalidError: the address cannot be parsed or is not free.
    """

    def __init__(self, bind: str, pages: Mapping[str, Callable[[], Page]]) -> None:
        host, port = parse_bind(bind)
        try:
            self._server = _Server(host, port, pages)
        except OSError as error:
            raise InvalidError(
                f"SPARKTEST_CONTROLLER_METRICS_BIND: {bind}: {error.strerror or error}"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics-server", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """The listening socket and its connections; beyond the limit, the oldest one is ended."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, pages: Mapping[str, Callable[[], Page]]) -> None:
        self.pages = pages
        self._open: deque[socket.socket] = deque()
        dual = not host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual or ":" in host else socket.AF_INET
        self._dual = dual
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind as ThreadingHTTPServer does, but without a lookup of the machine's name."""
        if self._dual:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "sparktest", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection in a thread; end the oldest one beyond the limit."""
        self._open.append(request)
        if len(self._open) > MAX_CONNECTIONS:
            _end(self._open.popleft())
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that was handled."""
        with suppress(ValueError):  # process_request may have ended it
            self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that are slow or gone."""


class _Handler(BaseHTTPRequestHandler):
    """One request; the connection ends after it."""

    server: _Server
    server_version = "sparktest"
    sys_version = ""
    timeout = REQUEST_SECONDS

    def log_message(self, *_: Any) -> None:
        """Write no line for each probe."""

    def do_GET(self) -> None:
        """Answer with the page of the path."""
        page = self.server.pages.get(self.path.partition("?")[0])
        status, body, content_type = page() if page else Page(HTTPStatus.NOT_FOUND, b"not found\n")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)
