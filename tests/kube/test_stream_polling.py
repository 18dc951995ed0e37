"""A stream of a log can be polled: it never waits, and its descriptor shows when there is more."""

import selectors
import threading

import pytest

from sparktest.errors import UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.streams import ByteStream
from tests.kube.apiserver import Apiserver
from tests.kube.faults import Exchange, chunks


def log_of(cluster: Cluster) -> ByteStream:
    return cluster.pod_log("default", "p", "test", follow=True)


def next_of(stream: ByteStream) -> bytes | None:
    """Poll until there is data or the end; wait for the descriptor in between."""
    with selectors.DefaultSelector() as selector:
        while (chunk := stream.poll()) == b"":
            key = selector.register(stream.fileno(), selectors.EVENT_READ)
            assert selector.select(20), "the descriptor does not become readable"
            selector.unregister(key.fileobj)
        return chunk


def whole(stream: ByteStream) -> bytes:
    return b"".join(iter(lambda: next_of(stream), None))


def test_nothing_has_arrived_from_a_silent_container(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(chunks(b"one\n", hang=True))
    with log_of(cluster) as stream:
        assert next_of(stream) == b"one\n"
        assert [stream.poll(), stream.poll()] == [b"", b""]


def test_what_arrives_later_makes_the_descriptor_readable(api: Apiserver, cluster: Cluster) -> None:
    go_on = threading.Event()

    def log(handler: Exchange) -> None:
        handler.begin_chunks()
        handler.chunk(b"one\n")
        for part in (b"two\n", b""):
            go_on.wait(60)
            go_on.clear()
            handler.chunk(part)

    api.faults.append(log)
    with log_of(cluster) as stream:
        assert next_of(stream) == b"one\n"
        assert stream.poll() == b""
        go_on.set()
        assert next_of(stream) == b"two\n"
        assert stream.poll() == b""
        go_on.set()
        assert next_of(stream) is None


@pytest.mark.parametrize(
    "parts",
    [
        [b"3\r\none\r\n0\r\n\r\n"],
        [b"3\r\non", b"e\r\n0\r\n\r\n"],
        [b"3\r\none\r\n", b"0\r\n\r\n"],
        [b"3\r\none\r\n0\r", b"\n\r\n"],
        [b"1\r\no\r", b"\n2\r\nne", b"\r\n", b"0\r\nDigest: 7\r\n\r\n"],
    ],
    ids=["at once", "cut text", "late end", "cut end", "trailers"],
)
def test_a_body_is_polled_whole_however_it_arrives(
    api: Apiserver, cluster: Cluster, parts: list[bytes]
) -> None:
    def log(handler: Exchange) -> None:
        # The first part comes together with the head.
        handler.begin_chunks()
        for part in parts:
            handler.wfile.write(part)
            handler.wfile.flush()

    for _ in range(3):
        api.faults.append(log)
        with log_of(cluster) as stream:
            assert whole(stream) == b"one"


def test_a_body_that_arrives_together_with_the_head_is_not_missed(
    api: Apiserver, cluster: Cluster
) -> None:
    def log(handler: Exchange) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
        handler.closing.wait()
        handler.close_connection = True

    api.faults.append(log)
    with log_of(cluster) as stream:
        assert next_of(stream) == b"one\n"
        assert stream.poll() == b""


def test_a_body_that_is_not_chunked_can_be_polled(api: Apiserver, cluster: Cluster) -> None:
    def log(handler: Exchange) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"one")

    api.faults.append(log)
    with log_of(cluster) as stream:
        assert [stream.poll(), stream.poll()] == [b"one", None]


def test_a_stream_that_breaks_is_unavailable(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(chunks(b"one\n", end=False))
    with log_of(cluster) as stream:
        assert next_of(stream) == b"one\n"
        with pytest.raises(UnavailableError):
            next_of(stream)


def test_a_closed_stream_has_ended(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(chunks(b"one\n", hang=True))
    with log_of(cluster) as stream:
        assert next_of(stream) == b"one\n"
        stream.close()
        assert stream.poll() is None
