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
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import JOBS, TESTRUNS
from sparktest.settings import Settings
from tests.kube.apiserver import Apiserver, cluster_of
from tests.kube.faults import Exchange, chunks, drop, hang, refuse, reply

OBJECT = b'{"metadata": {"name": "a"}}'


def test_credentials_are_read_again_after_a_401(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    api.kubeconfig(kubeconfig, user={"token": "second"})
    api.faults += [refuse(401, "Unauthorized"), reply(OBJECT), reply(OBJECT)]
    cluster.get(JOBS, "default", "a")
    cluster.get(JOBS, "default", "a")
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == ["Bearer first", "Bearer second", "Bearer second"]


def plugin(path: Path, expires: str | None) -> dict[str, Any]:
    """Return a kubeconfig user whose exec plugin prints token-1, token-2, … one each run."""
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
def test_an_exec_plugin_runs_again_when_its_token_has_expired(
    api: Apiserver, kubeconfig: Path, tmp_path: Path, expires: str | None, sent: list[str]
) -> None:
    api.kubeconfig(kubeconfig, user=plugin(tmp_path / "runs", expires))
    cluster = cluster_of(kubeconfig)
    cluster.list(TESTRUNS)
    cluster.list(TESTRUNS)
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == [f"Bearer {token}" for token in sent]


def test_an_exec_plugin_runs_again_after_a_401(
    api: Apiserver, kubeconfig: Path, tmp_path: Path
) -> None:
    api.kubeconfig(kubeconfig, user=plugin(tmp_path / "runs", None))
    api.faults.append(refuse(401, "Unauthorized"))
    cluster_of(kubeconfig).list(TESTRUNS)
    tokens = [request.headers["authorization"] for request in api.requests]
    assert tokens == ["Bearer token-1", "Bearer token-2"]


def test_threads_that_get_a_401_together_read_the_credentials_once(
    api: Apiserver, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Settings] = []
    load = config.load

    def counted(settings: Settings) -> Configuration:
        read.append(settings)
        return load(settings)

    monkeypatch.setattr(config, "load", counted)
    shared = cluster_of(kubeconfig)
    rejected = threading.Barrier(4)

    def reject_together(handler: Exchange) -> None:
        rejected.wait(60)
        refuse(401, "Unauthorized")(handler)

    api.faults += [reject_together] * 4
    threads = [threading.Thread(target=shared.list, args=(TESTRUNS,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(api.requests) == 8
    assert len(read) == 2


def test_a_second_401_is_an_error(api: Apiserver, cluster: Cluster) -> None:
    api.faults += [refuse(401, "token expired")] * 2
    with pytest.raises(UnauthorizedError, match="token expired"):
        cluster.get(JOBS, "default", "a")
    assert len(api.requests) == 2


def test_credentials_that_cannot_be_read_again_are_an_unauthorized_error(
    api: Apiserver, cluster: Cluster, kubeconfig: Path
) -> None:
    kubeconfig.unlink()
    api.faults.append(refuse(401, "Unauthorized"))
    with pytest.raises(UnauthorizedError, match="cannot be read again"):
        cluster.get(JOBS, "default", "a")


def test_the_newline_at_the_end_of_a_token_file_is_not_sent(
    api: Apiserver, kubeconfig: Path, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")
    api.kubeconfig(kubeconfig, user={"tokenFile": "token"})
    cluster_of(kubeconfig).list(TESTRUNS)
    assert api.requests[0].headers["authorization"] == "Bearer from-file"


def test_a_token_with_a_line_break_is_an_error_that_does_not_quote_it(
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
def test_an_error_response_raises_the_class_for_its_status_with_its_message(
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
def test_a_missing_or_partial_response_is_unavailable_and_not_retried(
    api: Apiserver, cluster: Cluster, fault: Any
) -> None:
    api.faults.append(fault)
    with pytest.raises(UnavailableError, match="the Kubernetes API at http://127"):
        cluster.get(JOBS, "default", "a")
    assert len(api.requests) == 1


def test_a_refused_connection_is_unavailable(api: Apiserver, cluster: Cluster) -> None:
    api.stop()
    with pytest.raises(UnavailableError, match="connection refused"):
        cluster.get(JOBS, "default", "a")


def test_a_response_beyond_the_limit_is_too_large(
    api: Apiserver, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 50)
    api.faults += [reply(b'{"a": "%s"}' % (b"x" * 42)), reply(b'{"a": "%s"}' % (b"x" * 41))]
    with pytest.raises(TooLargeError):
        cluster.get(JOBS, "default", "a")
    assert cluster.get(JOBS, "default", "a") == {"a": "x" * 41}


def test_retry_after_is_part_of_the_error_and_never_slept(api: Apiserver, cluster: Cluster) -> None:
    api.faults.append(refuse(429, "slow down", headers={"Retry-After": "20"}))
    began = time.monotonic()
    with pytest.raises(RateLimitedError) as caught:
        cluster.get(JOBS, "default", "a")
    assert caught.value.retry_after == 20.0
    assert time.monotonic() - began < 5
    assert len(api.requests) == 1


def test_a_write_is_prevented_by_what_is_called_before_it_and_a_read_is_not(
    api: Apiserver, tmp_path: Path
) -> None:
    def refuse_write() -> None:
        raise UnavailableError("not the leader")

    settings = Settings(kubeconfig=str(api.kubeconfig(tmp_path / "guarded")))
    cluster = Cluster.connect(settings, before_write=refuse_write)
    writes = [
        lambda: cluster.create(JOBS, "default", {}),
        lambda: cluster.patch(JOBS, "default", "a", {}),
        lambda: cluster.delete(JOBS, "default", "a"),
    ]
    for write in writes:
        with pytest.raises(UnavailableError, match="not the leader"):
            write()
    api.faults.append(reply(OBJECT))
    assert cluster.get(JOBS, "default", "a")
    assert [request.method for request in api.requests] == ["GET"]
    cluster.close()


def test_a_write_is_checked_again_after_a_401(api: Apiserver, tmp_path: Path) -> None:
    # Head and body of the first request.
    allowed = [True, True, False]

    def check() -> None:
        if not allowed.pop(0):
            raise UnavailableError("not the leader any more")

    settings = Settings(kubeconfig=str(api.kubeconfig(tmp_path / "guarded")))
    cluster = Cluster.connect(settings, before_write=check)
    api.faults.append(refuse(401, "expired"))
    with pytest.raises(UnavailableError, match="any more"):
        cluster.patch(JOBS, "default", "a", {})
    assert len(api.requests) == 1
    cluster.close()


def test_every_response_is_reported_and_so_is_a_missing_one(api: Apiserver, tmp_path: Path) -> None:
    seen: list[tuple[str, str, int | None]] = []
    settings = Settings(kubeconfig=str(api.kubeconfig(tmp_path / "observed")))
    cluster = Cluster.connect(
        settings, on_response=lambda host, method, status: seen.append((host, method, status))
    )
    api.faults += [reply(OBJECT), refuse(404, "gone"), drop]
    cluster.get(JOBS, "default", "a")
    with pytest.raises(NotFoundError):
        cluster.get(JOBS, "default", "a")
    with pytest.raises(UnavailableError):
        cluster.patch(JOBS, "default", "a", {})
    assert seen == [(api.url, "GET", 200), (api.url, "GET", 404), (api.url, "PATCH", None)]
    cluster.close()
