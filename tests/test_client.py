from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

from sparktest import http
from sparktest.client import ApiClient
from sparktest.errors import InvalidError, UnavailableError
from tests.scripted_api import (
    Handler,
    ScriptedApi,
    answer,
    cut,
    end,
    reset,
    scripted_api,
    silence,
    stream,
)

RUN = {
    "id": "1",
    "name": "n",
    "status": "running",
    "origin": "api",
    "createdAt": "2026-01-02T03:04:05Z",
}


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[ApiClient]:
    with ApiClient(api.url, "secret") as client:
        yield client


def test_a_refused_connection_raises_unavailable_with_the_url() -> None:
    with scripted_api() as gone:
        url = gone.url

    with (
        ApiClient(url) as client,
        pytest.raises(UnavailableError, match=f"{url} cannot be reached: connection refused"),
    ):
        client.health()


def test_a_timeout_raises_unavailable(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT_SECONDS", 0.1)
    api.scripts = [silence]

    with pytest.raises(UnavailableError, match="timed out"):
        client.health()


def test_a_response_may_take_longer_than_a_connection(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "CONNECT_TIMEOUT_SECONDS", 1)

    def later(handler: Handler) -> None:
        handler.api.closing.wait(1.5)
        answer({"status": "healthy"})(handler)

    api.scripts = [later]

    assert client.health() == {"status": "healthy"}


@pytest.mark.parametrize(
    "script",
    [cut, reset, answer(body=b'[{"id": ', length=400)],
    ids=["cut", "reset", "half an answer"],
)
def test_a_broken_connection_is_unavailable(
    api: ScriptedApi, client: ApiClient, script: Any
) -> None:
    api.scripts = [script]

    with pytest.raises(UnavailableError, match="connection refused or lost"):
        client.list_runs()


def test_a_url_without_a_valid_host_is_rejected() -> None:
    with pytest.raises(InvalidError, match="http://a b/api does not have a valid host"):
        ApiClient("http://a b/api")


@pytest.mark.parametrize("host", ["nohost.invalid", "a..b"])
def test_an_unknown_host_is_named_as_the_cause(host: str) -> None:
    with (
        ApiClient(f"http://{host}/api") as client,
        pytest.raises(UnavailableError, match="the host name cannot be resolved"),
    ):
        client.health()


@pytest.mark.usefixtures("garbage_collection_paused")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"{}",
        b"null",
        b"<html>",
        b'"\xff"',
        b"[" * 100_000,
        msgspec.json.encode([RUN | {"status": "sleeping"}]),
        msgspec.json.encode([RUN | {"id": 1}]),
    ],
)
def test_a_response_of_another_shape_raises_unavailable(
    api: ScriptedApi, client: ApiClient, body: bytes
) -> None:
    api.scripts = [answer(body=body)]

    with pytest.raises(UnavailableError, match="invalid response"):
        client.list_runs()


def test_an_invalid_response_to_an_append_raises_unavailable(
    api: ScriptedApi, client: ApiClient
) -> None:
    api.scripts = [answer({"byte": 3})]

    with pytest.raises(UnavailableError):
        client.append_log("1", "test", 0, b"abc")


def test_a_number_that_json_does_not_have_is_rejected(client: ApiClient) -> None:
    with pytest.raises(InvalidError, match="cannot be sent as JSON"):
        client.create_run({"timeoutSeconds": float("nan")})


# --- the token ------------------------------------------------------------------------------------


def test_the_token_is_sent(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [answer(RUN)]

    client.get_run("1")

    assert api.requests[0].headers["Authorization"] == "Bearer secret"
    assert "SparkTest-Controller" not in api.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_so_the_token_is_not_leaked(
    api: ScriptedApi, client: ApiClient, status: int
) -> None:
    with scripted_api() as elsewhere:
        elsewhere.scripts = [answer(RUN)]
        api.scripts = [answer(status=status, headers={"Location": elsewhere.url})]

        with pytest.raises(UnavailableError):
            client.get_run("1")
        with pytest.raises(UnavailableError):
            list(client.follow_log("1"))

        assert elsewhere.requests == []


def test_proxies_and_netrc_of_the_environment_are_ignored(
    api: ScriptedApi, client: ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted_api() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        api.scripts = [answer(RUN)]

        client.get_run("1")

        assert proxy.requests == []
    assert api.requests[0].headers["Authorization"] == "Bearer secret"


def test_a_controller_sends_the_uid_of_its_cluster(api: ScriptedApi) -> None:
    api.scripts = [answer({"status": "healthy"})]

    with ApiClient(api.url, cluster="uid-1") as client:
        client.health()

    assert api.requests[0].headers["SparkTest-Controller"] == "uid-1"
    assert "Authorization" not in api.requests[0].headers


# --- following ------------------------------------------------------------------------------------


def test_a_log_is_followed_to_its_end(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [stream(b"one\n", b"two\n", then=end)]

    assert b"".join(client.follow_log("1", container="test")) == b"one\ntwo\n"
    assert api.requests[0].query == {"container": ["test"], "follow": ["true"], "offset": ["0"]}


@pytest.mark.parametrize("broken", [cut, reset])
def test_an_interrupted_follower_keeps_what_it_received_and_raises(
    api: ScriptedApi, client: ApiClient, broken: Any
) -> None:
    api.scripts = [stream(b"one\n", then=broken)]
    received: list[bytes] = []

    with pytest.raises(UnavailableError, match="lost"):
        received.extend(client.follow_log("1"))

    assert b"".join(received) in (b"one\n", b"")


def test_a_silent_log_stream_is_requested_again_at_its_offset(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    responses: list[urllib3.BaseHTTPResponse] = []
    send = urllib3.HTTPConnectionPool.urlopen

    def record(pool: urllib3.HTTPConnectionPool, *args: Any, **kw: Any) -> urllib3.BaseHTTPResponse:
        responses.append(send(pool, *args, **kw))
        return responses[-1]

    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", record)
    api.scripts = [stream(b"one\n", then=silence), stream(b"two\n", then=end)]
    chunks = client.follow_log("1")

    assert next(chunks) == b"one\n"
    # Only the silent stream gets a short timeout: on a busy machine, the other reads may take long.
    connection: Any = responses[0].connection
    assert connection is not None
    connection.sock.settimeout(0.01)

    assert b"".join(chunks) == b"two\n"
    assert [request.query["offset"] for request in api.requests] == [["0"], ["4"]]


def test_a_follower_without_a_response_raises_unavailable(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "STREAM_TIMEOUT_SECONDS", 0.1)
    api.scripts = [silence]

    with pytest.raises(UnavailableError, match="timed out"):
        list(client.follow_log("1"))


def test_a_page_that_the_api_ends_early_is_filled_up(api: ScriptedApi, client: ApiClient) -> None:
    link = '<?limit=2&cursor={}>; rel="next"'
    api.scripts = [
        answer([RUN | {"id": "3"}], headers={"Link": link.format("a")}),
        answer([], headers={"Link": link.format("b")}),
        answer([RUN | {"id": "2"}], headers={"Link": link.format("c")}),
    ]

    page = client.list_runs(limit=2)

    assert [run.id for run in page.runs] == ["3", "2"]
    assert page.next == "c"


def test_a_page_without_a_next_one_ends(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [answer([RUN])]

    page = client.list_runs(limit=2)

    assert (len(page.runs), page.next) == (1, None)
