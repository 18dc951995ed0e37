"""HTTP/1.1 as the server speaks it: check requests, build WSGI environments, frame responses.

The requests are parsed by waitress' parser, which takes bytes as they arrive.
"""

import io
import sys
import time
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple

from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser, ParsingError, get_header_lines  # type: ignore[import-untyped]
from waitress.utilities import BadRequest, Error  # type: ignore[import-untyped]

from sparktest.api import problems
from sparktest.errors import TooLargeError

MAX_REQUEST_LINE_BYTES = 8190
MAX_HEAD_BYTES = 64 * 1024
# The largest body that a route takes is a piece of a log (8 MiB); the rest is for the framing of
# chunks, which is counted too. Larger parts of a body than the first are kept in a file.
MAX_BODY_BYTES = 9 * 1024 * 1024
BODY_BYTES_IN_MEMORY = 256 * 1024
LIMITS = Adjustments(
    max_request_header_size=MAX_HEAD_BYTES,
    max_request_body_size=MAX_BODY_BYTES,
    inbuf_overflow=BODY_BYTES_IN_MEMORY,
)
# Headers of the request whose WSGI names have no prefix.
UNPREFIXED = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Refusal(NamedTuple):
    """A request that the server itself answers with an error."""

    status: int
    title: str
    detail: str


TIMEOUT = Refusal(408, "Request timeout", "the request did not arrive in time")
BUSY = Refusal(503, "Unavailable", "too many streams are open; try again later")
FAILED = Refusal(500, "Internal error", "this is a bug in SparkTest; see the log of the API")


class BodyNotKeptError(Error):  # type: ignore[misc]
    """The error of a request whose body cannot be kept: no space, or no file descriptor."""

    code = 503
    reason = "Unavailable"


class RequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Parser of a request; an invalid one sets `error`, and nothing is raised."""

    def received(self, data: bytes) -> int:
        """Parse more bytes; return how many of them belong to this request."""
        try:
            return int(super().received(data))
        except ValueError as error:
            # Of the standard library: http://[::1 as a URI, a Content-Length of 5,000 digits.
            self.error = BadRequest(str(error))
        except OSError as error:
            self.error = BodyNotKeptError(f"the API cannot keep the body: {error.strerror}")
        self.completed = True
        return len(data)

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head; refuse one that another server may frame differently."""
        super().parse_header(header_plus)
        # The parser has removed the header if it uses it.
        if "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if self.chunked and _transfer_codings(header_plus) != [b"chunked"]:
            # The parser also takes it twice.
            raise ParsingError("Transfer-Encoding must be chunked, once")
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length and Transfer-Encoding are both given")

    def close(self) -> None:
        """Discard the body, which may be in a file that cannot be written."""
        with suppress(OSError):
            super().close()


def _transfer_codings(head: bytes) -> list[bytes]:
    lines = (line.lower().partition(b":") for line in get_header_lines(head))
    values = b",".join(value for name, _, value in lines if name == b"transfer-encoding")
    return [value.strip() for value in values.split(b",")]


def new_request() -> RequestParser:
    """Return a parser for the next request of a connection."""
    return RequestParser(LIMITS)


def refusal(request: RequestParser) -> Refusal | None:
    """Return why the request, whose head has been read, must be refused; None to serve it."""
    error = request.error
    if error is not None and error.code == TooLargeError.status:
        return Refusal(error.code, TooLargeError.title, str(error.body))
    if error is not None:
        return Refusal(error.code, error.reason.capitalize(), str(error.body))
    if len(request.first_line) > MAX_REQUEST_LINE_BYTES:
        return Refusal(414, "Uri too long", f"more than {MAX_REQUEST_LINE_BYTES} bytes")
    if request.version not in ("1.0", "1.1"):
        return Refusal(505, "Http version not supported", "send HTTP/1.1")
    if not request.path.startswith("/") and request.path != "*":
        return Refusal(400, "Bad request", "the path must begin with /")
    host = request.headers.get("HOST")
    if host is None and request.version == "1.1":
        return Refusal(400, "Bad request", "the header Host is missing")
    if host is not None and "," in host:
        return Refusal(400, "Bad request", "the header Host is given twice")
    return None


def environ(
    request: RequestParser, client: tuple[str, int], server: tuple[str, int]
) -> dict[str, Any]:
    """Return the WSGI environment of a request."""
    body = request.get_body_stream() if request.completed else io.BytesIO()
    result = {
        "REQUEST_METHOD": request.command,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        result[name if name in UNPREFIXED else f"HTTP_{name}"] = value
    return result


def wants_keep_alive(request: RequestParser) -> bool:
    """Return True when the client wants to send another request on this connection."""
    connection = request.headers.get("CONNECTION", "").lower()
    return request.version == "1.1" and "close" not in connection


class Response:
    """The head of a response, and how its body is framed.

    Attributes:
        keep_alive: the connection can be used again after it.
        streamed: its length is not known, so its body may take any time.
    """

    def __init__(self, request: RequestParser, *, keep_alive: bool) -> None:
        self.head = b""
        self.keep_alive = keep_alive
        self.streamed = False
        self._command = request.command
        self._http_1_1 = request.version == "1.1"
        self._has_body = True
        self._chunked = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Set status and headers: the `start_response` of WSGI."""
        code = int(status[:3])
        self._has_body = self._command != "HEAD" and code >= 200 and code not in (204, 304)
        lines = [f"HTTP/1.1 {status}"]
        known_length = False
        for name, value in headers:
            lower = name.lower()
            if code == 204 and lower in ("content-length", "content-type"):
                continue
            known_length |= lower == "content-length"
            lines.append(f"{name}: {value}")
        self.streamed = self._has_body and not known_length
        self._chunked = self.streamed and self._http_1_1
        self.keep_alive &= self._chunked or not self.streamed
        if self._chunked:
            lines.append("Transfer-Encoding: chunked")
        if not self.keep_alive:
            lines.append("Connection: close")
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header of the response has a line break")
        lines.append(f"Date: {_http_date(int(time.time()))}\r\n\r\n")
        self.head = "\r\n".join(lines).encode("latin-1")
        return self._no_write

    def frame(self, data: bytes) -> bytes:
        """Return a part of the body as it is sent."""
        if not self._has_body or not data:
            return b""
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data

    def end(self) -> bytes:
        """Return what follows the last part of the body."""
        return b"0\r\n\r\n" if self._chunked else b""

    @staticmethod
    def _no_write(data: bytes) -> None:
        raise NotImplementedError("return the body instead")


def refused(refusal: Refusal) -> bytes:
    """Return the whole response to a refused request, after which the connection is closed."""
    body = problems.encode_problem(*refusal)
    head = (
        f"HTTP/1.1 {refusal.status} {refusal.title}\r\nConnection: close\r\n"
        f"Content-Type: {problems.MIMETYPE}\r\nContent-Length: {len(body)}\r\n"
        f"Date: {_http_date(int(time.time()))}\r\n"
    )
    # Only for the errors that a client may repeat.
    retry = "Retry-After: 1\r\n" if refusal.status == 503 else ""
    return f"{head}{retry}\r\n".encode("latin-1") + body


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)
