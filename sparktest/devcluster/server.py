"""The HTTP server: TLS, one thread a connection, keep-alive, chunked streams."""

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
from sparktest.devcluster.requests import Answer, Request, refused

LOG = logging.getLogger(__name__)
# A larger body is refused, as by the real one.
MAX_BODY = 3 * 1024 * 1024
HANDSHAKE_SECONDS = 10
IDLE_SECONDS = 600
LOOPBACK = ("127.0.0.1", "localhost")
Respond = Callable[[Request], Answer]


class Server(ThreadingHTTPServer):
    """Serves `respond` on the loopback address, to those who bring the token."""

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
        """The port it listens on."""
        return int(self.server_address[1])

    def authorized(self, header: str) -> bool:
        """Whether an Authorization header holds the token."""
        return hmac.compare_digest(header.encode(), self._token)

    def hosts(self) -> set[str]:
        """The Host headers that it answers to."""
        return {f"{name}:{self.port}" for name in LOOPBACK}

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection; the handshake is done here, in the connection's own thread."""
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
        """Begin to take connections."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections and cut those there are."""
        self.stopping.set()
        with suppress(OSError):  # one more connection, so that nobody waits for it
            socket.create_connection(("127.0.0.1", self.port), HANDSHAKE_SECONDS).close()
        self._thread.join()
        for connection in list(self._open):
            cut(connection)

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()


def cut(connection: ssl.SSLSocket) -> None:
    """End a connection from another thread, without waiting for the other side."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # already gone
        return


class Handler(BaseHTTPRequestHandler):
    """One connection: request after request."""

    protocol_version = "HTTP/1.1"
    server_version = "sparktest-devcluster"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server
    connection: ssl.SSLSocket

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server refuses: a method it does not know as any other request."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._serve()
        else:
            self._send(refused(StatusError(int(code), "BadRequest", "no request that can be read")))

    def handle_expect_100(self) -> bool:
        """Whether the body is to be read: nobody is asked for it who will be refused."""
        try:
            self._admit()
        except StatusError:
            return True
        return super().handle_expect_100()

    def _serve(self) -> None:
        # Whatever was not read of a refused request would be taken for the next one.
        ends, self.close_connection = self.close_connection, True
        answer = self._answer(ends=ends)
        if answer.stream is not None:
            self._stream(answer, answer.stream)
        else:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the names that http.server calls)
    do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def _answer(self, *, ends: bool) -> Answer:
        try:
            self._admit()
            body = self._body()
            self.close_connection = ends
            split = self._target()
            request = Request(
                method=self.command,
                path=unquote(split.path),
                query=dict(parse_qsl(split.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
            )
            return self.server.respond(request)
        except StatusError as error:
            return refused(error)
        except ConnectionError:  # nobody is left to answer
            raise
        except Exception:  # the top of the loop of a connection
            LOG.exception("request failed method=%s", self.command)
            text = "an error of the dev cluster; its log says more"
            return refused(StatusError(500, "InternalError", text))

    def _admit(self) -> None:
        """Refuse whoever has no token, and any page of a browser."""
        headers, hosts = self.headers, self.server.hosts()
        # A proxy's form of the path names a host too, and that one counts.
        if (
            headers.get("Host", "") not in hosts
            or (self._target().netloc or min(hosts)) not in hosts
        ):
            raise StatusError(403, "Forbidden", "this Host is not served here")
        if headers.get("Origin") or headers.get("Sec-Fetch-Site", "none") != "none":
            raise StatusError(403, "Forbidden", "requests of web pages are not answered")
        if not self.server.authorized(headers.get("Authorization", "")):
            raise StatusError(401, "Unauthorized", "Unauthorized")
        # Others have as long as a handshake may take.
        self.connection.settimeout(IDLE_SECONDS)

    def _target(self) -> SplitResult:
        try:
            return urlsplit(self.path)
        except ValueError as error:
            raise bad_request("the path cannot be read") from error

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        text = self.headers.get("Content-Length", "0")
        length = int(text) if text.isdecimal() else MAX_BODY + 1
        if length > MAX_BODY:
            raise StatusError(413, "RequestEntityTooLarge", f"more than {MAX_BODY} bytes")
        return self.rfile.read(length)

    def _chunks(self) -> bytes:
        body = b""
        while size := self._chunk_size():
            if len(body) + size > MAX_BODY:
                raise StatusError(413, "RequestEntityTooLarge", f"more than {MAX_BODY} bytes")
            body += self.rfile.read(size)
            self.rfile.readline(3)
        self.rfile.readline(3)
        return body

    def _chunk_size(self) -> int:
        try:
            return int(self.rfile.readline(20).split(b";")[0], 16)
        except ValueError as error:
            raise bad_request("the body is not chunked as it says") from error

    def _head(self, answer: Answer) -> None:
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Cache-Control", "no-cache, private")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers.items():
            self.send_header(name, value)

    def _send(self, answer: Answer) -> None:
        self._head(answer)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _stream(self, answer: Answer, pieces: Iterator[bytes | None]) -> None:
        chunked = self.request_version != "HTTP/1.0"
        self.close_connection |= not chunked
        self._head(answer)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for piece in pieces:
            if self.server.stopping.is_set() or (piece is None and self._left()):
                self.close_connection = True
                return
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _left(self) -> bool:
        """Whether the client is gone: it has nothing to say while a stream lasts."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
        """Nothing: paths and headers are not for the log."""
