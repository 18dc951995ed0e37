"""A chunked body is the same however it comes, and each piece is handed on as it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from sparktest.kube.chunked import MAX_HEADER, Decoder
from sparktest.kube.cluster import Cluster
from tests.kube.apiserver import Apiserver
from tests.kube.faults import Exchange

CHUNK = st.sampled_from([b"a", b"\r\n", b"0\r\n\r\n", b"x" * 300]) | st.binary(min_size=1)
SIZE = st.sampled_from(["%x", "%X", "%04x", "%x;name=value", '%x ; quoted="0"'])


def encoded(chunk: bytes, size: str) -> bytes:
    return (size % len(chunk)).encode() + b"\r\n" + chunk + b"\r\n"


@given(st.lists(st.tuples(CHUNK, SIZE), max_size=6), st.integers(1, 40))
def test_whatever_the_pieces_the_content_is_that_of_the_chunks(
    chunks: list[tuple[bytes, str]], step: int
) -> None:
    body = b"".join(encoded(chunk, size) for chunk, size in chunks) + b"0\r\n\r\n"
    decoder, text, at = Decoder(), b"", 0
    while not decoder.ended:
        text += decoder.feed(body[at : at + step])
        at += step
    assert text == b"".join(chunk for chunk, _ in chunks)
    assert len(body) - at <= len(b"\r\n\r\n")


@given(st.lists(CHUNK, min_size=1, max_size=4), st.data())
def test_what_has_come_is_handed_on_at_once(chunks: list[bytes], data: st.DataObject) -> None:
    last = chunks[-1]
    come = data.draw(st.integers(0, len(last)))
    body = b"".join(encoded(chunk, "%x") for chunk in chunks[:-1])
    body += b"%x\r\n" % len(last) + last[:come]
    assert Decoder().feed(body) == b"".join(chunks[:-1]) + last[:come]


@pytest.mark.parametrize(
    "body",
    [b"", b"no size\r\n", b"\r\n\r\n", b"-5\r\n", b"3\r\nabcX\r\n4\r\n", b"1" * (MAX_HEADER + 1)],
    ids=["the end", "no number", "nothing", "negative", "no line end", "no end"],
)
def test_what_is_no_chunk_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(body)


def test_a_connection_serves_the_next_log_after_one_that_was_read_to_its_end(
    api: Apiserver, cluster: Cluster
) -> None:
    def log(handler: Exchange) -> None:
        handler.begin_chunks()
        handler.wfile.write(b"3\r\none\r\n0\r\n\r\n")

    for _ in range(3):
        api.faults.append(log)
        with cluster.pod_log("default", "p", "test") as stream:
            assert list(stream) == [b"one"]
    assert len({request.port for request in api.requests}) == 1


def test_trailers_are_no_content(api: Apiserver, cluster: Cluster) -> None:
    def log(handler: Exchange) -> None:
        handler.begin_chunks()
        handler.wfile.write(b"3\r\none\r\n0\r\nDigest: 7\r\n\r\n")

    for _ in range(2):
        api.faults.append(log)
        with cluster.pod_log("default", "p", "test") as stream:
            assert list(stream) == [b"one"]


def test_a_body_that_is_not_chunked_is_read_too(api: Apiserver, cluster: Cluster) -> None:
    def log(handler: Exchange) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"one")

    api.faults.append(log)
    with cluster.pod_log("default", "p", "test") as stream:
        assert list(stream) == [b"one"]
