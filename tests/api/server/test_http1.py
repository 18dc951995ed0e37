"""Requests that the server refuses itself, WSGI environments, and the framing of responses."""

import errno
import json
import tempfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sparktest.api.server import http1


def parsed(data: bytes):
    """Return the request that these bytes are, with CRLF for each line feed."""
    request = http1.new_request()
    request.received(data.replace(b"\n", b"\r\n"))
    return request


def started(request_line: bytes, status: str, headers=(), *, keep_alive=True):
    """Return a response with this status to a request."""
    request = parsed(request_line + b"\nHost: x\n\n")
    response = http1.Response(request, keep_alive=keep_alive)
    response.start(status, list(headers))
    return response


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"NONSENSE\n\n", 400),
        (b"GET /livez\n\n", 505),
        (b"GET /livez HTTP/2.0\nHost: x\n\n", 505),
        (b"get /livez HTTP/1.1\nHost: x\n\n", 400),
        (b"GET livez HTTP/1.1\nHost: x\n\n", 400),
        (b"GET /livez HTTP/1.1\n\n", 400),
        (b"GET /livez HTTP/1.1\nHost: x\nHost: y\n\n", 400),
        (b"GET /livez HTTP/1.1\nHost : x\n\n", 400),
        (b"GET /livez HTTP/1.1\nHost: x\n folded\n: y\n\n", 400),
        (b"GET /" + b"a" * 8190 + b" HTTP/1.1\nHost: x\n\n", 414),
        (b"GET /livez HTTP/1.1\nHost: x\nX: " + b"a" * 70_000 + b"\n\n", 431),
        (b"POST / HTTP/1.1\nHost: x\nContent-Length: -1\n\n", 400),
        (b"POST / HTTP/1.1\nHost: x\nContent-Length: 1\nContent-Length: 2\n\n", 400),
        (b"POST / HTTP/1.1\nHost: x\nContent-Length: 99999999\n\n", 413),
        (b"POST / HTTP/1.1\nHost: x\nContent-Length: " + b"9" * 5000 + b"\n\n", 400),
        (b"GET http://[::1 HTTP/1.1\nHost: x\n\n", 400),
        (b"POST / HTTP/1.1\nHost: x\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", 400),
        (b"POST / HTTP/1.0\nHost: x\nTransfer-Encoding: chunked\n\n", 400),
        (b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: gzip, chunked\n\n", 501),
        (b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked, chunked\n\n", 400),
        (b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n , chunked\n\n", 400),
        (b"POST / HTTP/1.1\nHost: x" + b"\nTransfer-Encoding: chunked" * 2 + b"\n\n", 400),
    ],
)
def test_a_request_that_is_no_http_or_too_large_is_refused(data, status):
    refusal = http1.refusal(parsed(data))
    assert refusal is not None
    assert refusal.status == status
    head, _, body = http1.refused(refusal).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert json.loads(body)["status"] == status


def test_an_invalid_chunk_is_refused():
    head = b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n"
    request = parsed(head)
    request.received(b"zz\r\n")
    refusal = http1.refusal(request)
    assert refusal
    assert refusal.status == 400


def test_a_body_that_cannot_be_kept_is_refused_and_may_be_sent_again(monkeypatch):
    def fail(mode):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    request = parsed(b"POST / HTTP/1.1\nHost: x\nContent-Length: 1000000\n\n")
    request.received(b"x" * 500_000)
    refusal = http1.refusal(request)
    request.close()
    assert refusal
    assert (refusal.status, "No space left" in refusal.detail) == (503, True)
    assert b"\r\nRetry-After: 1\r\n" in http1.refused(refusal)


def test_the_environment_has_path_query_headers_and_body():
    request = parsed(
        b"PUT /a%20b//c?x=%20y HTTP/1.1\nHost: h:80\nContent-Type: t/p\nX-Two: 1\nX-Two: 2\n"
        b"X_Under: 3\nContent-Length: 4\n\n"
    )
    request.received(b"body")
    environ = http1.environ(request, ("10.0.0.1", 5), ("10.0.0.2", 80))
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["PATH_INFO"] == "/a b//c"
    assert environ["QUERY_STRING"] == "x=%20y"
    assert environ["HTTP_HOST"] == "h:80"
    assert environ["CONTENT_TYPE"] == "t/p"
    assert environ["CONTENT_LENGTH"] == "4"
    assert environ["HTTP_X_TWO"] == "1, 2"
    assert "HTTP_X_UNDER" not in environ
    assert environ["REMOTE_ADDR"] == "10.0.0.1"
    assert environ["wsgi.input"].read() == b"body"


def test_a_chunked_body_arrives_whole():
    request = parsed(b"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n")
    request.received(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    environ = http1.environ(request, ("c", 1), ("s", 2))
    assert environ["CONTENT_LENGTH"] == "5"
    assert environ["wsgi.input"].read() == b"abcde"


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"GET / HTTP/1.1\nHost: x\n\n", True),
        (b"GET / HTTP/1.1\nHost: x\nConnection: close\n\n", False),
        (b"GET / HTTP/1.1\nHost: x\nConnection: Keep-Alive, Close\n\n", False),
        (b"GET / HTTP/1.0\n\n", False),
    ],
)
def test_a_connection_is_kept_as_the_client_asks(data, kept):
    assert http1.wants_keep_alive(parsed(data)) is kept


def test_a_body_of_known_length_is_sent_as_it_is():
    response = started(b"GET / HTTP/1.1", "200 OK", [("Content-Length", "2")])
    assert (response.streamed, response.keep_alive) == (False, True)
    assert response.frame(b"ab") + response.end() == b"ab"
    assert b"Connection" not in response.head
    assert b"\r\nDate: " in response.head
    assert response.head.endswith(b"\r\n\r\n")


def test_a_body_of_unknown_length_is_chunked():
    response = started(b"GET / HTTP/1.1", "200 OK")
    assert (response.streamed, response.keep_alive) == (True, True)
    assert b"Transfer-Encoding: chunked" in response.head
    assert response.frame(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert response.frame(b"") == b""
    assert response.end() == b"0\r\n\r\n"


def test_for_http_1_0_the_end_of_the_connection_ends_the_body():
    response = started(b"GET / HTTP/1.0", "200 OK")
    assert (response.streamed, response.keep_alive) == (True, False)
    assert response.frame(b"ab") + response.end() == b"ab"
    assert b"Connection: close" in response.head


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HEAD / HTTP/1.1", "200 OK"),
        (b"GET / HTTP/1.1", "304 NOT MODIFIED"),
        (b"DELETE / HTTP/1.1", "204 NO CONTENT"),
    ],
)
def test_some_responses_have_no_body(line, status):
    response = started(line, status, [("Content-Type", "text/html")])
    assert (response.streamed, response.keep_alive) == (False, True)
    assert response.frame(b"body") + response.end() == b""
    assert (b"Content-Type" in response.head) == ("204" not in status)


def test_a_header_cannot_have_a_line_break():
    with pytest.raises(ValueError, match="line break"):
        started(b"GET / HTTP/1.1", "200 OK", [("X", "a\r\nSet-Cookie: b")])


PIECES = (
    *(b"GET /", b"POST http://", b"[", b"::1", b"]", b"%00", b"//", b"?", b"#", b"@", b" HTTP/1.1"),
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b" ",
        b"\t",
        b":",
        b";",
        b"-1",
        b"0",
        b"5",
        b"9" * 5000,
    ),
    *(b"\r\nHost: x", b"\r\nContent-Length: ", b"\r\nTransfer-Encoding: chunked", b"\r\n\r\n"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@example(b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n")
def test_no_bytes_raise_an_exception(data):
    """One would be raised in the event loop."""
    request = http1.new_request()
    while data and not request.completed:
        data = data[request.received(data) :]
        if request.headers_finished and not (request.empty or http1.refusal(request)):
            environ = http1.environ(request, ("c", 1), ("s", 2))
            assert environ["PATH_INFO"].startswith(("/", "*"))
    request.close()
