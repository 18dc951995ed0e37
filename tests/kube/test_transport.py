"""Credentials, refusals and silence, against a server that misbehaves on demand."""

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
from sparktest.kube import config, transport
from sparktest.kube.cluster import JOBS, TESTRUNS, Cluster
from sparktest.settings import Settings
from tests.kube.apiserver import Apiserver, cluster_of
from tests.kube.faults import Exchange, chunks, drop, hang, refuse, reply

OBJECT = b'{"metadata": {"name": "a"}}'


def test_credentials_are_read_anew_once_when_the_cluster_refuses_them(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    api.kubeconfig(kubeconfig, user={"token": "second"})
    api.faults += [refuse(401, "Unauthorized"), reply(OBJECT), reply(OBJECT)]
    cluster.get(JOBS, "default", "a")
    cluster.get(JOBS, "default", "a")
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == ["Bearer first", "Bearer second", "Bearer second"]


def plugin(path: Path, expires: str | None) -> dict[str, Any]:
    """A kubeconfig user whose exec plugin gives token-1, token-2, … one a run."""
    status = {"token": "token-$N"} | ({"expirationTimestamp": expires} if expires else {})
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    script = f"echo x >> {path}; N=$(grep -c x {path}); cat <<E\n{json.dumps(credential)}\nE\n"
    given = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
    return {"exec": given | {"command": "sh", "args": ["-c", script]}}


@pytest.mark.parametrize(
    ("expires", "sent"),
    [
        (None, ["token-1", "token-1"]),
        ("2999-01-01T00:00:00Z", ["token-1", "token-1"]),
        ("2001-01-01T00:00:00Z", ["token-2", "token-3"]),
    ],
)
def test_a_plugin_is_asked_again_when_its_token_has_run_out(
    api: Apiserver, kubeconfig: Path, tmp_path: Path, expires: str | None, sent: list[str]
) -> None:
    api.kubeconfig(kubeconfig, user=plugin(tmp_path / "runs", expires))
    cluster = cluster_of(kubeconfig)
    cluster.list(TESTRUNS)
    cluster.list(TESTRUNS)
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == [f"Bearer {token}" for token in sent]


def test_a_plugin_is_asked_again_when_the_cluster_refuses_its_token(
    api: Apiserver, kubeconfig: Path, tmp_path: Path
) -> None:
    api.kubeconfig(kubeconfig, user=plugin(tmp_path / "runs", None))
    api.faults.append(refuse(401, "Unauthorized"))
    cluster_of(kubeconfig).list(TESTRUNS)
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == ["Bearer token-1", "Bearer token-2"]


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

    def refuse_together(handler: Exchange) -> None:
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
