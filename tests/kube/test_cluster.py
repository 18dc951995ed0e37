"""The door to Kubernetes against a server that misbehaves on demand."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
    RateLimitedError,
    SparkTestError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from sparktest.kube import cluster as door
from sparktest.kube import config, transport
from sparktest.kube.cluster import JOBS, NAMESPACES, PODS, TESTRUNS, Cluster, Timeouts
from sparktest.settings import Settings
from tests.kube.apiserver import Apiserver, Handler, chunks, cluster_of, drop, hang, refuse, reply

OBJECT = b'{"metadata": {"name": "a"}}'


def watching(cluster: Cluster, version: str = "0") -> door.WatchStream:
    return cluster.watch(TESTRUNS, resource_version=version, timeout_seconds=300)


# --- what is sent ---------------------------------------------------------------------------------


def test_objects_are_addressed_by_the_path_of_their_resource(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults += [reply(OBJECT)] * 4
    cluster.get(PODS, "team a", "p%1/x")
    cluster.get(NAMESPACES, None, "kube-system")
    cluster.create(JOBS, "default", {"kind": "Job"})
    cluster.patch(TESTRUNS, "default", "a", {"status": {}}, subresource="status")
    sent = [(request.method, request.path) for request in api.requests]
    assert sent == [
        ("GET", "/api/v1/namespaces/team%20a/pods/p%251%2Fx"),
        ("GET", "/api/v1/namespaces/kube-system"),
        ("POST", "/apis/batch/v1/namespaces/default/jobs"),
        ("PATCH", "/apis/sparktest.dev/v1alpha1/namespaces/default/testruns/a/status"),
    ]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_leads_elsewhere_is_refused_before_it_is_sent(
    api: Apiserver, cluster: Cluster, name: str
) -> None:
    with pytest.raises(InvalidError):
        cluster.delete(JOBS, "default", name)
    with pytest.raises(InvalidError):
        cluster.get(JOBS, name, "a")
    assert api.requests == []


def test_a_dict_is_sent_as_a_merge_patch_and_a_list_as_a_json_patch(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults += [reply(OBJECT)] * 2
    operations = [{"op": "test", "path": "/metadata/uid", "value": "u"}]
    cluster.patch(TESTRUNS, "default", "a", {"metadata": {"finalizers": None}})
    cluster.patch(TESTRUNS, "default", "a", operations)
    assert [(request.headers["content-type"], request.body) for request in api.requests] == [
        ("application/merge-patch+json", {"metadata": {"finalizers": None}}),
        ("application/json-patch+json", operations),
    ]


def test_a_created_object_may_not_hold_fields_that_kubernetes_would_drop(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults.append(reply(OBJECT))
    cluster.create(JOBS, "default", {"spec": {"name": "ü\ud800"}})
    assert api.requests[0].query == {"fieldValidation": "Strict"}
    assert api.requests[0].body == {"spec": {"name": "ü\ud800"}}


def test_a_delete_names_the_uid_it_means(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(OBJECT), refuse(409, "Precondition failed: UID in precondition: u")]
    cluster.delete(JOBS, "default", "a", uid="u")
    assert api.requests[0].body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
    }
    with pytest.raises(ConflictError, match="UID in precondition"):
        cluster.delete(JOBS, "default", "a", uid="u")


def test_every_request_carries_the_token_and_who_we_are(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    api.put("a")
    cluster.list(TESTRUNS)
    with watching(cluster):
        pass
    api.faults += [reply(OBJECT), chunks(b"log")]
    cluster.create(JOBS, "default", {})
    with cluster.pod_log("default", "p", "test"):
        pass
    assert len(api.requests) == 4
    for request in api.requests:
        assert request.headers["authorization"] == "Bearer first"
        assert request.headers["user-agent"].startswith("sparktest/")


# --- credentials ----------------------------------------------------------------------------------


def test_credentials_are_read_anew_once_when_the_cluster_refuses_them(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    api.kubeconfig(kubeconfig, user={"token": "second"})
    api.faults += [refuse(401, "Unauthorized"), reply(OBJECT), reply(OBJECT)]
    cluster.get(JOBS, "default", "a")
    cluster.get(JOBS, "default", "a")
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == ["Bearer first", "Bearer second", "Bearer second"]


def test_threads_that_are_refused_together_read_the_credentials_once(
    api: Apiserver, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Settings] = []
    load = config.load

    def counted(settings: Settings) -> Configuration:
        read.append(settings)
        return load(settings)

    monkeypatch.setattr(config, "load", counted)
    shared = cluster_of(kubeconfig)
    refused = threading.Barrier(4)

    def refuse_together(handler: Handler) -> None:
        refused.wait(5)
        refuse(401, "Unauthorized")(handler)

    api.faults += [refuse_together] * 4
    threads = [threading.Thread(target=shared.list, args=(TESTRUNS,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(api.requests) == 8
    assert len(read) == 2


def test_credentials_that_stay_refused_are_an_error_after_two_requests(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults += [refuse(401, "token expired")] * 2
    with pytest.raises(UnauthorizedError, match="token expired"):
        cluster.get(JOBS, "default", "a")
    assert len(api.requests) == 2


def test_refused_credentials_that_cannot_be_read_anew_are_unauthorized(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    kubeconfig.unlink()
    api.faults.append(refuse(401, "Unauthorized"))
    with pytest.raises(UnauthorizedError, match="cannot be read anew"):
        cluster.get(JOBS, "default", "a")


def test_the_newline_at_the_end_of_a_token_file_is_not_sent(
    api: Apiserver, kubeconfig: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")
    api.kubeconfig(kubeconfig, user={"tokenFile": "token"})
    cluster_of(kubeconfig).list(TESTRUNS)
    assert api.requests[0].headers["authorization"] == "Bearer from-file"


def test_a_token_that_no_header_can_carry_is_refused_without_being_quoted(
    api: Apiserver, kubeconfig: Path
) -> None:
    api.kubeconfig(kubeconfig, user={"token": "se\ncret"})
    with pytest.raises(UnauthorizedError) as caught:
        cluster_of(kubeconfig).list(TESTRUNS)
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert api.requests == []


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, MalformedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, GoneError),
        (413, TooLargeError),
        (415, InvalidError),
        (422, InvalidError),
        (429, RateLimitedError),
        (302, UnavailableError),
        (500, UnavailableError),
        (503, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_a_refusal_is_the_error_of_its_status_with_the_message_of_the_cluster(
    api: Apiserver, cluster: Cluster, status: int, kind: type[SparkTestError]
) -> None:
    location = {"Location": f"{api.url}/elsewhere"}
    api.faults.append(refuse(status, "why not", headers=location))
    with pytest.raises(SparkTestError) as caught:
        cluster.get(JOBS, "default", "a")
    assert type(caught.value) is kind
    assert caught.value.detail == "why not"
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({"Retry-After": "7"}, {"retryAfterSeconds": 9}, 7.0),
        ({}, {"retryAfterSeconds": 9}, 9.0),
        ({"Retry-After": "86400"}, {}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, None),
        ({"Retry-After": "-1"}, {"retryAfterSeconds": "soon"}, None),
        ({"Retry-After": "nan"}, {}, None),
    ],
)
def test_the_wait_that_is_asked_for_travels_with_the_error_and_is_never_slept(
    api: Apiserver,
    cluster: Cluster,
    headers: dict[str, str],
    details: dict[str, Any],
    seconds: float | None,
) -> None:
    api.faults.append(refuse(429, "slow down", headers=headers, **details))
    began = time.monotonic()
    with pytest.raises(RateLimitedError) as caught:
        cluster.get(JOBS, "default", "a")
    assert caught.value.retry_after == seconds
    assert time.monotonic() - began < 2
    assert len(api.requests) == 1


def test_the_causes_of_a_refusal_name_their_fields(api: Apiserver, cluster: Cluster) -> None:
    causes = [
        {"field": "spec.template.spec", "message": "Required value"},
        {"reason": "NamespaceTerminating", "message": "is being terminated"},
        "no cause",
    ]
    api.faults.append(refuse(422, "Job is invalid", causes=causes))
    with pytest.raises(InvalidError) as caught:
        cluster.create(JOBS, "default", {})
    assert caught.value.errors == (
        {"pointer": "/spec/template/spec", "detail": "Required value"},
        {"pointer": "/", "detail": "is being terminated"},
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>\nnginx", "<html>"),
        (b"404 page not found\n", "404 page not found"),
        (b"", "HTTP 404"),
        (b"[1]", "HTTP 404"),
        (b'{"message": 7, "details": [], "code": "x"}', "7"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_a_refusal_that_is_no_status_object_still_has_a_message(
    api: Apiserver, cluster: Cluster, body: bytes, message: str
) -> None:
    api.faults.append(reply(body, status=404))
    with pytest.raises(NotFoundError) as caught:
        cluster.get(JOBS, "default", "a")
    assert caught.value.detail == message


@pytest.mark.parametrize(
    "fault",
    [
        hang,
        drop,
        reply(b'{"metadata": {', length=500),
        reply(b'{"metadata": {'),
        reply(b"[]"),
        reply(b"<html></html>"),
        chunks(b'{"metadata"', end=False),
        chunks(b'{"metadata"', hang=True),
    ],
    ids=["hang", "drop", "cut", "half", "list", "html", "cut chunk", "silent"],
)
def test_no_answer_or_half_of_one_is_unavailable_and_not_repeated(
    api: Apiserver, cluster: Cluster, fault: Any
) -> None:
    api.faults.append(fault)
    with pytest.raises(UnavailableError, match="the Kubernetes API at http://127"):
        cluster.get(JOBS, "default", "a")
    assert len(api.requests) == 1


def test_a_server_that_is_not_there_is_unavailable(api: Apiserver, cluster: Cluster) -> None:
    api.stop()
    with pytest.raises(UnavailableError, match="Connection refused"):
        cluster.get(JOBS, "default", "a")


def test_an_answer_beyond_the_limit_is_refused(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BODY", 50)
    api.faults += [reply(b'{"a": "%s"}' % (b"x" * 42)), reply(b'{"a": "%s"}' % (b"x" * 41))]
    with pytest.raises(TooLargeError):
        cluster.get(JOBS, "default", "a")
    assert cluster.get(JOBS, "default", "a") == {"a": "x" * 41}


# --- lists ----------------------------------------------------------------------------------------


def test_a_list_is_read_page_by_page(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PAGE", 2)
    made = [api.put(f"run-{number}") for number in range(5)]
    listing = cluster.list(TESTRUNS, label_selector="app=sparktest")
    assert listing.items == made
    assert listing.resource_version == made[-1]["metadata"]["resourceVersion"]
    assert [request.query.get("continue") for request in api.requests] == [None, "2", "4"]
    assert {request.query["labelSelector"] for request in api.requests} == {"app=sparktest"}


def test_pages_that_are_too_large_are_read_in_smaller_ones(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PAGE", 40)
    monkeypatch.setattr(transport, "MAX_BODY", 2000)
    for number in range(40):
        api.put(f"run-{number}")
    assert len(cluster.list(TESTRUNS).items) == 40


def test_a_list_without_items_is_empty(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(reply(b'{"items": null, "metadata": {"resourceVersion": "5"}}'))
    assert cluster.list(JOBS) == ([], "5")


def test_pages_that_have_expired_are_gone(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(b'{"items": [], "metadata": {"continue": "x"}}'), refuse(410, "expired")]
    with pytest.raises(GoneError):
        cluster.list(JOBS)


# --- watches --------------------------------------------------------------------------------------


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


# --- logs -----------------------------------------------------------------------------------------


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


# --- about the cluster ----------------------------------------------------------------------------


def test_the_uid_of_the_cluster_is_that_of_kube_system_and_is_asked_for_once(
    api: Apiserver, cluster: Cluster
) -> None:
    api.faults.append(reply(b'{"metadata": {"uid": "u-1"}}'))
    assert [cluster.uid(), cluster.uid()] == ["u-1", "u-1"]
    assert len(api.requests) == 1


def test_the_setting_goes_before_the_uid_of_kube_system(api: Apiserver, kubeconfig: Path) -> None:
    settings = Settings(kubeconfig=str(kubeconfig), cluster="mine")
    assert Cluster.connect(settings).uid() == "mine"
    assert api.requests == []


def test_a_uid_that_may_not_be_read_names_the_setting(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(refuse(403, "namespaces is forbidden"))
    with pytest.raises(ForbiddenError, match="SPARKTEST_CLUSTER"):
        cluster.uid()


def test_a_kind_is_served_when_its_group_lists_it(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [
        reply(b'{"resources": [{"name": "testruns"}, {"name": "testruns/status"}]}'),
        reply(b'{"resources": [{"name": "other"}]}'),
        reply(b"404 page not found", status=404),
    ]
    assert [cluster.served(TESTRUNS) for _ in range(3)] == [True, False, False]
    assert api.requests[0].path == "/apis/sparktest.dev/v1alpha1"


def test_connections_are_used_again(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [reply(OBJECT), refuse(404, "no"), reply(OBJECT), chunks(b"log")]
    cluster.get(JOBS, "default", "a")
    with pytest.raises(NotFoundError):
        cluster.get(JOBS, "default", "b")
    cluster.get(JOBS, "default", "a")
    with cluster.pod_log("default", "p", "test") as log:
        list(log)
    cluster.list(TESTRUNS)
    assert len({request.port for request in api.requests}) == 1
