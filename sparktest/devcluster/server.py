"""The HTTPS server: one thread per connection, keep-alive, chunked streams."""

import hmac
import logging
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from sparktest.devcluster.api_errors import StatusError, bad_request
from sparktest.devcluster.requests import Request, Response, error_response

LOG = logging.getLogger(__name__)
# A real API server has the same limit.
MAX_BODY_BYTES = 3 * 1024 * 1024
HANDSHAKE_SECONDS = 10
IDLE_SECONDS = 600
LOOPBACK = ("127.0.0.1", "localhost")
Respond = Callable[[Request], Response]


class Server(ThreadingHTTPServer):
    """A server on the loopback address; it calls `respond` for requests that carry the token."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, port: int, certificate: Path, token: str, respond: Respond) -> None:
        self.respond = respond
        self.stopping = threading.Event()
        self._token = f"Bearer {token}".encode()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._open: set[ssl.SSLSocket] = set()
        self._thread = threading.Thread(target=self._serve, name="server", daemon=True)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def authorized(self, header: str) -> bool:
        """Return True if an Authorization header holds the token."""
        return hmac.compare_digest(header.encode(), self._token)

    def hosts(self) -> set[str]:
        """Return the Host headers that are accepted."""
        return {f"{name}:{self.port}" for name in LOOPBACK}

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, including its TLS handshake, in a thread of its own."""
        request.settimeout(HANDSHAKE_SECONDS)
        try:
            connection = self._tls.wrap_socket(request, server_side=True)
        except OSError:  # not TLS, or gone
            return
        self._open.add(connection)
        try:
            super().finish_request(connection, client_address)
        except OSError:  # the client went away
            pass
        finally:
            self._open.discard(connection)
            connection.close()

    def start(self) -> None:
        """Start accepting connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting connections and close the open ones."""
        self.stopping.set()
        with suppress(OSError):  # wakes up handle_request()
            socket.create_connection(("127.0.0.1", self.port), HANDSHAKE_SECONDS).close()
        self._thread.join()
        for connection in list(self._open):
            shut_down(connection)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()


def shut_down(connection: ssl.SSLSocket) -> None:
    """Close a connection from another thread, without waiting for the peer."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # already gone
        return


class Handler(BaseHTTPRequestHandler):
    """The handler of one connection, which serves one request after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "sparktest-devcluster"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server
    connection: ssl.SSLSocket

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send the errors of http.server as Status objects; serve methods that it does not know."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._serve()
        else:
            self._send(
                error_response(
                    StatusError(int(code), "BadRequest", "the request is not valid HTTP")
                )
            )

    def handle_expect_100(self) -> bool:
        """Ask for the body (100 Continue) unless the request will be rejected without it."""
        try:
            self._authorize()
        except StatusError:
            return True
        return super().handle_expect_100()

    def _serve(self) -> None:
        # The unread rest of a rejected request would be parsed as the next request.
        is_last, self.close_connection = self.close_connection, True
        response = self._respond(is_last=is_last)
        if response.stream is not None:
            self._stream(response, response.stream)
        else:
            self._send(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the names that http.server calls)
    do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _respond(self, *, is_last: bool) -> Response:
        try:
            self._authorize()
            body = self._body()
            self.close_connection = is_last
            split = self._split_path()
            request = Request(
                method=self.command,
                path=unquote(split.path),
                query=dict(parse_qsl(split.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
            )
            return self.server.respond(request)
        except StatusError as error:
            return error_response(error)
        except ConnectionError:  # the client is gone
            raise
        except Exception:  # the top of the loop of a connection
            LOG.exception("request failed method=%s", self.command)
            text = "internal error of the dev cluster; see its log"
            return error_response(StatusError(500, "InternalError", text))

    def _authorize(self) -> None:
        """Reject requests without the token, and every request of a web page."""
        headers, hosts = self.headers, self.server.hosts()
        # The absolute form of a request line names a host too, which overrides Host.
        if (
            headers.get("Host", "") not in hosts
            or (self._split_path().netloc or min(hosts)) not in hosts
        ):
            raise StatusError(403, "Forbidden", "this Host is not served here")
        if headers.get("Origin") or headers.get("Sec-Fetch-Site", "none") != "none":
            raise StatusError(403, "Forbidden", "requests from web pages are not allowed")
        if not self.server.authorized(headers.get("Authorization", "")):
            raise StatusError(401, "Unauthorized", "Unauthorized")
        # Without the token the short handshake timeout stays in force.
        self.connection.settimeout(IDLE_SECONDS)

    def _split_path(self) -> SplitResult:
        try:
            return urlsplit(self.path)
        except ValueError as error:
            raise bad_request("the path is not a valid URL") from error

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        text = self.headers.get("Content-Length", "0")
        length = int(text) if text.isdecimal() else MAX_BODY_BYTES + 1
        if length > MAX_BODY_BYTES:
            raise StatusError(
                413, "RequestEntityTooLarge", f"the body has more than {MAX_BODY_BYTES} bytes"
            )
        return self.rfile.read(length)

    def _chunks(self) -> bytes:
        body = b""
        while size := self._chunk_size():
            if len(body) + size > MAX_BODY_BYTES:
                raise StatusError(
                    413, "RequestEntityTooLarge", f"the body has more than {MAX_BODY_BYTES} bytes"
                )
            body += self.rfile.read(size)
            self.rfile.readline(3)
        self.rfile.readline(3)
        return body

    def _chunk_size(self) -> int:
        try:
            return int(self.rfile.readline(20).split(b";")[0], 16)
        except ValueError as error:
            raise bad_request("the chunked encoding of the body is invalid") from error

    def _send_head(self, response: Response) -> None:
        self.send_response(response.code)
        self.send_header("Content-Type", response.media_type)
        self.send_header("Cache-Control", "no-cache, private")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in response.headers.items():
            self.send_header(name, value)

    def _send(self, response: Response) -> None:
        self._send_head(response)
        self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def _stream(self, response: Response, pieces: Iterator[bytes | None]) -> None:
        chunked = self.request_version != "HTTP/1.0"
        self.close_connection |= not chunked
        self._send_head(response)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for piece in pieces:
            if self.server.stopping.is_set() or (piece is None and self._client_closed()):
                self.close_connection = True
                return
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _client_closed(self) -> bool:
        """Return True if the client has closed: it sends nothing while a stream lasts."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name in http.server)
        """Log nothing: paths and headers may hold secrets."""
