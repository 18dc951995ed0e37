import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from sparktest.errors import (
    GoneError,
    MalformedError,
    SparkTestError,
    TooLargeError,
    UnavailableError,
)
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.kube.streams import MAX_CHUNK_HEADER_BYTES, ChunkedDecoder, WatchEvent, WatchStream
from sparktest.kube.transport import Timeouts
from tests.kube.apiserver import Apiserver, cluster_of
from tests.kube.faults import Exchange, chunks, refuse, reply

CHUNK = st.sampled_from([b"a", b"\r\n", b"0\r\n\r\n", b"x" * 300]) | st.binary(min_size=1)
SIZE = st.sampled_from(["%x", "%X", "%04x", "%x;name=value", '%x ; quoted="0"'])


def watch(cluster: Cluster, version: str = "0") -> WatchStream:
    return cluster.watch(TESTRUNS, resource_version=version, timeout_seconds=300)


def test_an_object_of_any_depth_hides_no_other(api: Apiserver, cluster: Cluster) -> None:
    deep = b'{"metadata": {"name": "deep"}, "spec": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    event = b'{"type": "ADDED", "object": ' + deep + b"}\n"
    api.faults += [chunks(event, b'{"type": "ADDED", "object": {"metadata": {"name": "b"}}}\n')]
    with watch(cluster) as events:
        assert [event.object["metadata"]["name"] for event in events] == ["deep", "b"]
    api.faults += [reply(b'{"items": [' + deep + b', {"metadata": {"name": "b"}}]}')]
    found = cluster.list(TESTRUNS).items
    assert [each["metadata"]["name"] for each in found] == ["deep", "b"]


def test_a_watch_yields_events_as_they_arrive(api: Apiserver, cluster: Cluster) -> None:
    with watch(cluster) as events:
        first = api.put("a")
        assert next(events) == WatchEvent("ADDED", first)
        second = api.put("ü" * 200_000)  # more than one chunk
        assert next(events).object == second
        api.remove("a")
        assert next(events).type == "DELETED"
    query = api.requests[0].query
    assert query["allowWatchBookmarks"] == "true"
    assert query["timeoutSeconds"] == "300"


def test_events_are_split_at_line_ends_not_at_chunks(api: Apiserver, cluster: Cluster) -> None:
    line = b'{"type": "ADDED", "object": {"n": 1}}\n'
    api.faults.append(chunks(line[:5], line[5:] + line + line[:9], line[9:] + b"\n"))
    assert [event.object for event in watch(cluster)] == [{"n": 1}] * 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ({"code": 410, "message": "too old"}, GoneError),
        ({"code": 500, "message": "etcd"}, UnavailableError),
        ({"code": "x"}, UnavailableError),
    ],
)
def test_an_error_in_the_stream_is_raised(
    api: Apiserver, cluster: Cluster, status: dict[str, Any], kind: type[SparkTestError]
) -> None:
    line = json.dumps({"type": "ERROR", "object": status}).encode()
    api.faults.append(chunks(line + b"\n", hang=True))
    with watch(cluster) as events, pytest.raises(kind):
        next(events)


@pytest.mark.parametrize(
    "fault",
    [
        chunks(b'{"type": "ADDED", "obj'),
        chunks(b'{"type": "ADDED", "obj', end=False),
        chunks(b'{"type": "ADDED"}\n', end=False),
        chunks(hang=True),
        chunks(b"\n\n", end=False),
    ],
    ids=["half", "cut", "no object", "silent", "empty"],
)
def test_a_broken_or_silent_watch_is_unavailable(
    api: Apiserver, cluster: Cluster, fault: Any
) -> None:
    api.faults.append(fault)
    with watch(cluster) as events, pytest.raises(UnavailableError):
        list(events)


def test_a_watch_from_an_expired_version_is_gone(api: Apiserver, cluster: Cluster) -> None:
    api.forget()
    with pytest.raises(GoneError):
        watch(cluster, "1")


def test_an_event_without_end_is_too_large(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparktest.kube.streams.MAX_EVENT_BYTES", 1000)
    api.faults.append(chunks(*[b"x" * 400] * 3, hang=True))
    with watch(cluster) as events, pytest.raises(TooLargeError):
        next(events)


def test_another_thread_can_end_a_silent_watch_at_once(api: Apiserver, kubeconfig: Path) -> None:
    cluster = cluster_of(kubeconfig, Timeouts(connect=1, read=60, watch=60))
    api.faults.append(chunks(b'{"type": "ADDED", "object": {}}\n', hang=True))
    seen: list[WatchEvent] = []
    with watch(cluster) as events:
        seen.append(next(events))
        reader = threading.Thread(target=lambda: seen.extend(events))
        reader.start()
        events.close()
        reader.join(60)
        assert not reader.is_alive()
    assert len(seen) == 1


def test_the_options_of_a_log_are_sent_and_its_chunks_returned(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults.append(chunks(b"one\n", b"tw", b"o\xff\n"))
    since = "2026-11-23T10:00:00Z"
    with cluster.pod_log(
        "default", "p", "test", follow=True, since_time=since, timestamps=True, tail_lines=0
    ) as log:
        assert b"".join(log) == b"one\ntwo\xff\n"
    assert api.requests[0].path == "/api/v1/namespaces/default/pods/p/log"
    assert api.requests[0].query == {
        "container": "test",
        "follow": "true",
        "sinceTime": since,
        "timestamps": "true",
        "tailLines": "0",
    }


def test_a_broken_log_is_unavailable_after_its_last_chunk(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(chunks(b"one\n", end=False))
    with cluster.pod_log("default", "p", "test") as log:
        assert next(log) == b"one\n"
        with pytest.raises(UnavailableError):
            next(log)


@pytest.mark.parametrize(
    ("follow", "timeouts"),
    [(True, Timeouts(read=60, watch=1)), (False, Timeouts(read=1, watch=60))],
)
def test_a_silent_log_is_unavailable_after_the_timeout(
    api: Apiserver, kubeconfig: Path, follow: bool, timeouts: Timeouts
) -> None:
    cluster = cluster_of(kubeconfig, timeouts)
    api.faults.append(chunks(b"one\n", hang=True))
    with cluster.pod_log("default", "p", "test", follow=follow) as log:
        assert next(log) == b"one\n"
        with pytest.raises(UnavailableError):
            next(log)


def test_a_stream_may_be_silent_for_longer_than_a_connection_takes(
    api: Apiserver, kubeconfig: Path
) -> None:
    cluster = cluster_of(kubeconfig, Timeouts(connect=1, read=60, watch=60))

    def pause(handler: Exchange) -> None:
        handler.begin_chunks()
        handler.chunk(b"one\n")
        handler.closing.wait(1.5)
        handler.chunk(b"two\n")
        handler.chunk(b"")

    api.faults.append(pause)
    with cluster.pod_log("default", "p", "test", follow=True) as log:
        assert b"".join(log) == b"one\ntwo\n"


def test_a_container_that_has_not_started_has_no_log(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(refuse(400, 'container "test" in pod "p" is waiting to start'))
    with pytest.raises(MalformedError, match="waiting to start"):
        cluster.pod_log("default", "p", "test")


def test_leaving_the_with_block_ends_the_stream(api: Apiserver, kubeconfig: Path) -> None:
    cluster = cluster_of(kubeconfig, Timeouts(connect=1, read=60, watch=60))
    api.faults.append(chunks(b"one\n", hang=True))
    with cluster.pod_log("default", "p", "test", follow=True) as log:
        assert next(log) == b"one\n"
    assert list(log) == []


# --- chunked bodies ------------------------------------------------------------------------------


def encoded(chunk: bytes, size: str) -> bytes:
    return (size % len(chunk)).encode() + b"\r\n" + chunk + b"\r\n"


@given(st.lists(st.tuples(CHUNK, SIZE), max_size=6), st.integers(1, 40))
def test_a_chunked_body_is_decoded_however_it_is_split(
    chunks: list[tuple[bytes, str]], step: int
) -> None:
    body = b"".join(encoded(chunk, size) for chunk, size in chunks) + b"0\r\n\r\n"
    decoder, text, at = ChunkedDecoder(), b"", 0
    while not decoder.ended:
        text += decoder.feed(body[at : at + step])
        at += step
    assert text == b"".join(chunk for chunk, _ in chunks)
    assert len(body) - at <= len(b"\r\n\r\n")


@given(st.lists(CHUNK, min_size=1, max_size=4), st.data())
def test_all_received_content_is_returned_at_once(chunks: list[bytes], data: st.DataObject) -> None:
    last = chunks[-1]
    received = data.draw(st.integers(0, len(last)))
    body = b"".join(encoded(chunk, "%x") for chunk in chunks[:-1])
    body += b"%x\r\n" % len(last) + last[:received]
    assert ChunkedDecoder().feed(body) == b"".join(chunks[:-1]) + last[:received]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no size\r\n",
        b"\r\n\r\n",
        b"-5\r\n",
        b"3\r\nabcX\r\n4\r\n",
        b"1" * (MAX_CHUNK_HEADER_BYTES + 1),
    ],
    ids=["the end", "no number", "nothing", "negative", "no line end", "too long"],
)
def test_a_malformed_chunk_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        ChunkedDecoder().feed(body)


def test_a_connection_is_reused_after_a_log_that_was_read_to_its_end(
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


def test_trailers_are_not_part_of_the_content(api: Apiserver, cluster: Cluster) -> None:
    def log(handler: Exchange) -> None:
        handler.begin_chunks()
        handler.wfile.write(b"3\r\none\r\n0\r\nDigest: 7\r\n\r\n")

    for _ in range(2):
        api.faults.append(log)
        with cluster.pod_log("default", "p", "test") as stream:
            assert list(stream) == [b"one"]


def test_a_body_that_is_not_chunked_is_read(api: Apiserver, cluster: Cluster) -> None:
    def log(handler: Exchange) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"one")

    api.faults.append(log)
    with cluster.pod_log("default", "p", "test") as stream:
        assert list(stream) == [b"one"]
