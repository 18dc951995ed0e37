"""Requests that create a run are repeated with the same key when their response is lost."""

from collections.abc import Iterator
from typing import Any

import pytest

from sparktest import http
from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.errors import ConflictError, UnavailableError
from tests.scripted_api import ScriptedApi, answer, cut, reset, scripted_api

RUN = {
    "id": "1",
    "name": "n",
    "status": "pending",
    "origin": "api",
    "createdAt": "2026-01-02T03:04:05Z",
}
LOST = {"cut": cut, "reset": reset, "half a response": answer(body=b'{"id": ', length=400)}
CREATES: dict[str, Any] = {
    "create": lambda client: client.create_run({"image": "i"}),
    "rerun": lambda client: client.rerun_run("1"),
    "run a definition": lambda client: client.run_definition("1"),
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedApi]:
    monkeypatch.setattr(http, "RETRIES", Backoff(first=0.001, cap=0.001))
    with scripted_api() as api:
        yield api


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[ApiClient]:
    with ApiClient(api.url, "secret") as client:
        yield client


def keys(api: ScriptedApi) -> list[str | None]:
    return [request.headers.get("Idempotency-Key") for request in api.requests]


@pytest.mark.parametrize("create", CREATES.values(), ids=CREATES)
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_lost_response_is_asked_for_again(
    api: ScriptedApi, client: ApiClient, create: Any, lost: Any
) -> None:
    api.scripts = [lost, answer(status=503), lost, answer(RUN, status=201)]
    assert create(client).id == "1"
    assert len(keys(api)) == 4
    assert len(set(keys(api))) == 1
    assert keys(api)[0]
    assert len({(request.path, request.body) for request in api.requests}) == 1


def test_a_batch_is_sent_again_with_its_key(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [cut, answer([{"status": 201, "run": RUN}])]
    (result,) = client.create_runs([{"name": "n", "image": "i"}])
    assert result.run
    assert len(keys(api)) == 2
    assert len(set(keys(api))) == 1
    assert keys(api)[0]


@pytest.mark.parametrize("create", CREATES.values(), ids=CREATES)
def test_each_call_has_a_key_of_its_own(api: ScriptedApi, client: ApiClient, create: Any) -> None:
    api.scripts = [answer(RUN, status=201)]
    create(client)
    create(client)
    assert len(set(keys(api))) == 2


def test_an_error_that_the_server_sends_is_raised_at_once(
    api: ScriptedApi, client: ApiClient
) -> None:
    api.scripts = [answer(status=503)]
    with pytest.raises(UnavailableError):
        client.create_run({"image": "i"})
    assert len(api.requests) == 1


def test_an_error_of_the_repeated_request_is_raised(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [cut, answer(status=409)]
    with pytest.raises(ConflictError):
        client.rerun_run("1")
    assert len(api.requests) == 2


def test_it_gives_up_when_every_response_is_lost(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [cut]
    with pytest.raises(UnavailableError, match="connection refused or lost"):
        client.create_run({"image": "i"})
    assert len(api.requests) == http.CREATE_RETRIES + 1


def test_nothing_else_is_repeated(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [cut]
    for call in (
        lambda: client.cancel_run("1"),
        lambda: client.create_run({"k8sRef": {"namespace": "n", "name": "t", "uid": "u"}}),
    ):
        with pytest.raises(UnavailableError):
            call()
    assert keys(api) == [None, None]


def test_a_write_is_prevented_by_what_is_called_before_it_and_a_read_is_not(
    api: ScriptedApi,
) -> None:
    def refuse() -> None:
        raise UnavailableError("not the leader")

    api.scripts = [answer(RUN)]
    with ApiClient(api.url, "secret", before_write=refuse) as client:
        for write in (
            lambda: client.claim_run("1", "here"),
            lambda: client.append_log("1", "test", 0, b"x"),
            lambda: client.create_run({"k8sRef": {"uid": "1"}}),
            lambda: client.delete_run("1"),
        ):
            with pytest.raises(UnavailableError, match="not the leader"):
                write()
        assert client.get_run("1").id == "1"
    assert [request.method for request in api.requests] == ["GET"]
