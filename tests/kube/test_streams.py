"""Watches and logs that are cut, fall silent or are ended by another thread."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sparktest.errors import (
    GoneError,
    MalformedError,
    SparkTestError,
    TooLargeError,
    UnavailableError,
)
from sparktest.kube import cluster as door
from sparktest.kube.cluster import TESTRUNS, Cluster, Timeouts
from tests.kube.apiserver import Apiserver, cluster_of
from tests.kube.faults import chunks, refuse

OBJECT = b'{"metadata": {"name": "a"}}'


def watching(cluster: Cluster, version: str = "0") -> door.WatchStream:
    return cluster.watch(TESTRUNS, resource_version=version, timeout_seconds=300)


def test_a_watch_yields_events_as_they_come(api: Apiserver, cluster: Cluster) -> None:
    with watching(cluster) as events:
        first = api.put("a")
        assert next(events) == door.WatchEvent("ADDED", first)
        second = api.put("ü" * 200_000)  # more than one chunk
        assert next(events).object == second
        api.remove("a")
        assert next(events).type == "DELETED"
    query = api.requests[0].query
    assert query["allowWatchBookmarks"] == "true"
    assert query["timeoutSeconds"] == "300"


def test_an_event_may_come_in_pieces_and_several_in_one(api: Apiserver, cluster: Cluster) -> None:
    line = b'{"type": "ADDED", "object": {"n": 1}}\n'
    api.faults.append(chunks(line[:5], line[5:] + line + line[:9], line[9:] + b"\n"))
    assert [event.object for event in watching(cluster)] == [{"n": 1}] * 3


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
    with watching(cluster) as events, pytest.raises(kind):
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
def test_a_watch_that_is_cut_or_falls_silent_is_unavailable(
    api: Apiserver, cluster: Cluster, fault: Any
) -> None:
    api.faults.append(fault)
    with watching(cluster) as events, pytest.raises(UnavailableError):
        list(events)


def test_a_watch_from_a_version_that_is_too_old_is_gone(api: Apiserver, cluster: Cluster) -> None:
    api.forget()
    with pytest.raises(GoneError):
        watching(cluster, "1")


def test_an_event_without_end_is_not_collected_for_ever(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparktest.kube.streams.MAX_EVENT", 1000)
    api.faults.append(chunks(*[b"x" * 400] * 3, hang=True))
    with watching(cluster) as events, pytest.raises(TooLargeError):
        next(events)


def test_another_thread_can_end_a_silent_watch_at_once(api: Apiserver, kubeconfig: Path) -> None:
    patient = cluster_of(kubeconfig, Timeouts(connect=1, read=60, watch=60))
    api.faults.append(chunks(b'{"type": "ADDED", "object": {}}\n', hang=True))
    seen: list[door.WatchEvent] = []
    with watching(patient) as events:
        seen.append(next(events))
        reader = threading.Thread(target=lambda: seen.extend(events))
        reader.start()
        events.close()
        reader.join(5)
        assert not reader.is_alive()
    assert len(seen) == 1


def test_a_log_comes_in_chunks_with_the_options_asked_for(api: Apiserver, cluster: Cluster) -> None:
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


def test_a_log_that_breaks_off_is_unavailable_after_what_came(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults.append(chunks(b"one\n", end=False))
    with cluster.pod_log("default", "p", "test") as log:
        assert next(log) == b"one\n"
        with pytest.raises(UnavailableError):
            next(log)


def test_the_patience_with_a_silent_log_can_be_given(api: Apiserver, kubeconfig: Path) -> None:
    patient = cluster_of(kubeconfig, Timeouts(connect=1, read=60, watch=60))
    api.faults.append(chunks(b"one\n", hang=True))
    with patient.pod_log("default", "p", "test", follow=True, read_seconds=0.1) as log:
        assert next(log) == b"one\n"
        with pytest.raises(UnavailableError):
            next(log)


def test_a_container_that_has_not_started_has_no_log(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(refuse(400, 'container "test" in pod "p" is waiting to start'))
    with pytest.raises(MalformedError, match="waiting to start"):
        cluster.pod_log("default", "p", "test")


def test_leaving_a_log_in_the_middle_ends_the_reading(api: Apiserver, kubeconfig: Path) -> None:
    patient = cluster_of(kubeconfig, Timeouts(connect=1, read=60, watch=60))
    api.faults.append(chunks(b"one\n", hang=True))
    with patient.pod_log("default", "p", "test", follow=True) as log:
        assert next(log) == b"one\n"
    assert list(log) == []
