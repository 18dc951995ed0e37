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
Respond = Callable[[Request], Response]


class Server(ThreadingHTTPServer):
    """A server on the loopback address; it calls `respond` for requests that carry the token."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, certificate: Path, token: str, respond: Respond) -> None:
        self.respond = respond
        self.authorization = f"Bearer {token}".encode()
        self.stopping = threading.Event()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._open: set[ssl.SSLSocket] = set()
        self._thread = threading.Thread(target=self._serve, name="server", daemon=True)
        super().__init__(("127.0.0.1", port), Handler)
        self.port = int(self.server_address[1])
        self.hosts = (f"127.0.0.1:{self.port}", f"localhost:{self.port}")

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, including its TLS handshake, in its own thread."""
        request.settimeout(HANDSHAKE_SECONDS)
        # OSError: the client does not speak TLS, or has closed the connection.
        with suppress(OSError), self._tls.wrap_socket(request, server_side=True) as connection:
            self._open.add(connection)
            try:
                super().finish_request(connection, client_address)
            finally:
                self._open.discard(connection)

    def start(self) -> None:
        """Start accepting connections."""
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting connections and close the open ones."""
        self.stopping.set()
        with suppress(OSError):  # wakes up handle_request(); serve_forever() would poll
            socket.create_connection(("127.0.0.1", self.port), HANDSHAKE_SECONDS).close()
        self._thread.join()
        for connection in list(self._open):
            with suppress(OSError):  # the connection is closed already
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()


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
            error = StatusError(int(code), "BadRequest", "the request is not valid HTTP")
            self._send(error_response(error))

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
        try:
            url = self._authorize()
            body = self._read_body()
            self.close_connection = is_last
            response = self.server.respond(
                Request(
                    method=self.command,
                    path=unquote(url.path),
                    query=dict(parse_qsl(url.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=body,
                )
            )
        except StatusError as error:
            response = error_response(error)
        except ConnectionError:  # the client has closed the connection
            raise
        except Exception:  # the top of the loop of a connection
            LOG.exception("request failed method=%s", self.command)
            text = "internal error of the dev cluster; see its log"
            response = error_response(StatusError(500, "InternalError", text))
        self._send(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the names that http.server calls)
    do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _authorize(self) -> SplitResult:
        """Return the URL of the request.

        Raises:
            StatusError: 400, 401 or 403: the token is missing, or a web page sent the request.
        """
        try:
            url = urlsplit(self.path)
        except ValueError as error:
            raise bad_request("the path is not a valid URL") from error
        headers, hosts = self.headers, self.server.hosts
        # The absolute form of a request line names a host too, which overrides Host.
        if headers.get("Host") not in hosts or (url.netloc or hosts[0]) not in hosts:
            raise StatusError(403, "Forbidden", "this Host is not served here")
        if headers.get("Origin") or headers.get("Sec-Fetch-Site", "none") != "none":
            raise StatusError(403, "Forbidden", "requests from web pages are not allowed")
        given = headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, self.server.authorization):
            raise StatusError(401, "Unauthorized", "Unauthorized")
        # Without the token the short handshake timeout stays in force.
        self.connection.settimeout(IDLE_SECONDS)
        return url

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            length = self.headers.get("Content-Length", "0")
            return self._read(int(length) if length.isdecimal() else -1, MAX_BODY_BYTES)
        body = b""
        try:
            while size := int(self.rfile.readline(20).split(b";")[0], 16):
                body += self._read(size, MAX_BODY_BYTES - len(body))
                self.rfile.readline(3)
        except ValueError as error:
            raise bad_request("the chunked encoding of the body is invalid") from error
        self.rfile.readline(3)
        return body

    def _read(self, size: int, limit: int) -> bytes:
        if not 0 <= size <= limit:
            text = f"the body has more than {MAX_BODY_BYTES} bytes, or an invalid length"
            raise StatusError(413, "RequestEntityTooLarge", text)
        return self.rfile.read(size)

    def _send(self, response: Response) -> None:
        has_length = response.stream is None
        is_chunked = not has_length and self.request_version != "HTTP/1.0"
        self.close_connection |= not has_length and not is_chunked
        headers = {
            "Content-Type": response.media_type,
            "Cache-Control": "no-cache, private",
            "X-Content-Type-Options": "nosniff",
        }
        if is_chunked:
            headers["Transfer-Encoding"] = "chunked"
        if has_length:
            headers["Content-Length"] = str(len(response.body))
        if self.close_connection:
            headers["Connection"] = "close"
        self.send_response(response.code)
        for name, value in (headers | response.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if response.stream is not None:
            self._stream(response.stream, is_chunked=is_chunked)
        elif self.command != "HEAD":
            self.wfile.write(response.body)

    def _stream(self, pieces: Iterator[bytes | None], *, is_chunked: bool) -> None:
        self.wfile.flush()
        for piece in pieces:
            if self.server.stopping.is_set() or (piece is None and self._client_closed()):
                self.close_connection = True
                return
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
                self.wfile.flush()
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _client_closed(self) -> bool:
        """Return True if the client has closed: it sends nothing while a stream lasts."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name in http.server)
        """Log nothing: paths and headers may hold secrets."""
