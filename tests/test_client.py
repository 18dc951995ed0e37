import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sparktest import client as client_module
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Log, LogState, Origin, Run, RunReport, Status
from sparktest.errors import (
    BY_STATUS,
    ConflictError,
    InvalidError,
    OffsetError,
    SparkTestError,
    UnavailableError,
)
from sparktest.sanitize import clean
from tests.live import TOKEN, live_api
from tests.scripted import (
    ScriptedApi,
    answer,
    cut,
    end,
    problem,
    reset,
    scripted_api,
    silence,
    stream,
)

RUN = {
    "id": "1", "name": "n", "status": "running", "origin": "api",
    "createdAt": "2026-01-02T03:04:05Z",
}  # fmt: skip
# A run that an API of today cannot have: no route makes an executor or a suite yet.
NOT_YET = {"executor_id", "suite_run_id"}


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[ApiClient]:
    with ApiClient(api.url, "secret") as client:
        yield client


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kind"), BY_STATUS.items(), ids=lambda value: str(value))
def test_the_class_that_the_server_raised_comes_back(
    api: ScriptedApi, client: ApiClient, status: int, kind: type[SparkTestError]
) -> None:
    errors = [{"pointer": "/name", "detail": "is too long"}]
    api.scripts = [problem(status, {"Retry-After": "7"}, detail="because", errors=errors)]

    with pytest.raises(SparkTestError) as raised:
        client.get_run("1")

    assert type(raised.value) is kind
    assert raised.value.detail == "because"
    assert raised.value.errors == ({"pointer": "/name", "detail": "is too long"},)
    assert raised.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (418, InvalidError),
        (302, UnavailableError),
        (500, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_a_status_without_a_class_of_its_own_says_what_it_was(
    api: ScriptedApi, client: ApiClient, status: int, kind: type[SparkTestError]
) -> None:
    api.scripts = [answer(body=b"<html>", status=status, headers={"Content-Type": "text/html"})]

    with pytest.raises(kind, match=f"^HTTP {status} "):
        client.get_run("1")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"detail": 1}', b'{"errors": [1]}']
)
def test_a_problem_that_is_none_is_still_the_error_of_its_status(
    api: ScriptedApi, client: ApiClient, body: bytes
) -> None:
    api.scripts = [
        answer(body=body, status=409, headers={"Content-Type": "application/problem+json"})
    ]

    with pytest.raises(ConflictError, match=r"^HTTP 409 Conflict$"):
        client.cancel_run("1")


def test_a_conflict_with_the_stored_length_is_an_offset_error(
    api: ScriptedApi, client: ApiClient
) -> None:
    api.scripts = [problem(409, detail="does not join", stored=17)]

    with pytest.raises(OffsetError, match="does not join") as raised:
        client.append_log("1", "test", 5, b"x")

    assert raised.value.stored == 17


@pytest.mark.parametrize("value", ["soon", "Wed, 21 Oct 2026 07:28:00 GMT", "-1", "9" * 400])
def test_a_retry_after_that_is_no_number_of_seconds_is_none(
    api: ScriptedApi, client: ApiClient, value: str
) -> None:
    api.scripts = [problem(429, {"Retry-After": value}, detail="slow down")]

    with pytest.raises(SparkTestError) as raised:
        client.get_run("1")

    assert raised.value.retry_after is None


# --- the connection -------------------------------------------------------------------------------


def test_nobody_listening_is_unavailable_and_says_where() -> None:
    with scripted_api() as gone:
        url = gone.url

    with (
        ApiClient(url) as client,
        pytest.raises(UnavailableError, match=f"{url} does not answer: connection refused"),
    ):
        client.health()


def test_an_api_that_does_not_answer_in_time_is_unavailable(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.1)
    api.scripts = [silence]

    with pytest.raises(UnavailableError, match="timed out"):
        client.health()


@pytest.mark.parametrize(
    "script",
    [cut, reset, answer(body=b'[{"id": ', length=400)],
    ids=["cut", "reset", "half an answer"],
)
def test_a_broken_connection_is_unavailable(
    api: ScriptedApi, client: ApiClient, script: Any
) -> None:
    api.scripts = [script]

    with pytest.raises(UnavailableError, match="connection refused or cut"):
        client.list_runs()


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"{}", b"null", b"<html>", b'"\xff"', b"[" * 100_000,
     msgspec.json.encode([RUN | {"status": "sleeping"}]), msgspec.json.encode([RUN | {"id": 1}])],
)  # fmt: skip
def test_an_answer_of_another_shape_is_unavailable_not_a_crash(
    api: ScriptedApi, client: ApiClient, body: bytes
) -> None:
    api.scripts = [answer(body=body)]

    with pytest.raises(UnavailableError, match="that SparkTest's API would not"):
        client.list_runs()


def test_an_append_that_is_answered_wrongly_is_unavailable(
    api: ScriptedApi, client: ApiClient
) -> None:
    api.scripts = [answer({"byte": 3})]

    with pytest.raises(UnavailableError):
        client.append_log("1", "test", 0, b"abc")


# --- the token ------------------------------------------------------------------------------------


def test_the_token_goes_to_the_api(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [answer(RUN)]

    client.get_run("1")

    assert api.requests[0].headers["Authorization"] == "Bearer secret"
    assert "SparkTest-Controller" not in api.requests[0].headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_so_the_token_stays_here(
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


def test_proxies_and_netrc_of_the_environment_see_nothing(
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


def test_a_controller_says_of_which_cluster_it_is(api: ScriptedApi) -> None:
    api.scripts = [answer({"status": "healthy"})]

    with ApiClient(api.url, cluster="uid-1") as client:
        client.health()

    assert api.requests[0].headers["SparkTest-Controller"] == "uid-1"
    assert "Authorization" not in api.requests[0].headers


# --- beside the document --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "unknown fields were ignored: /imgae"', ["unknown fields were ignored: /imgae"]),
        ('299 - "one", 299 - "two, \\"three\\""', ["one", 'two, "three"']),
        ('299 - "broken \\escape"', ["broken \\escape"]),
        ('199 - "not ours"', []),
        ("299 - no quotes", []),
    ],
)
def test_warnings_are_handed_on(api: ScriptedApi, header: str, texts: list[str]) -> None:
    api.scripts = [answer(RUN, headers={"Warning": header})]
    said: list[str] = []

    with ApiClient(api.url, warn=said.append) as client:
        client.create_run({})

    assert said == texts


def test_every_text_is_cleaned_wherever_it_comes_from(api: ScriptedApi) -> None:
    bad = "a\x1b]0;title\x07b"
    api.scripts = [
        answer(RUN | {"name": bad}, headers={"Warning": '299 - "a\\u001b[31mb"'}),
        problem(422, detail=bad, errors=[{"pointer": bad, "detail": bad}]),
        answer(status=204, body=b"", headers={"SparkTest-Remaining": "kubectl \x1b[2Jdelete"}),
    ]
    said: list[str] = []

    with ApiClient(api.url, clean=clean, warn=said.append) as client:
        run = client.get_run("1")
        with pytest.raises(InvalidError) as raised:
            client.create_run({})
        remaining = client.delete_run("1")

    assert run.name == "ab"
    assert said == ["ab"]
    assert raised.value.detail == "ab"
    assert raised.value.errors == ({"pointer": "ab", "detail": "ab"},)
    assert remaining == "kubectl delete"


def test_a_page_knows_the_cursor_of_the_next(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [
        answer([RUN], headers={"Link": '</api/test-runs?limit=1&cursor=a%2Fb>; rel="next"'}),
        answer([RUN]),
    ]

    at = datetime(2026, 1, 2, tzinfo=UTC)
    first = client.list_runs(
        status=["failed", "timed_out"], q="two words", updated_since=at, limit=1
    )
    last = client.list_runs(cursor=first.next)

    assert first.next == "a/b"
    assert last.next is None
    assert api.requests[0].query == {
        "status": ["failed", "timed_out"], "q": ["two words"],
        "updatedSince": ["2026-01-02T00:00:00Z"], "limit": ["1"],
    }  # fmt: skip
    assert api.requests[1].query["cursor"] == ["a/b"]


@pytest.mark.parametrize("link", ['<http://[>; rel="next"', '<?page=2>; rel="next"', "nonsense"])
def test_a_next_page_that_cannot_be_is_none(api: ScriptedApi, client: ApiClient, link: str) -> None:
    api.scripts = [answer([], headers={"Link": link})]

    assert client.list_runs().next is None
    assert client.list_definitions() == ()


def test_an_id_cannot_lead_to_another_route(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [answer(RUN)]

    client.get_run("../test-definitions/1?x=1#y")

    assert api.requests[0].path == "/api/test-runs/..%2Ftest-definitions%2F1%3Fx%3D1%23y"
    assert api.requests[0].query == {}


# --- following ------------------------------------------------------------------------------------


def test_a_log_is_followed_to_its_end(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [stream(b"one\n", b"two\n", then=end)]

    assert b"".join(client.follow_log("1", container="test")) == b"one\ntwo\n"
    assert api.requests[0].query == {"container": ["test"], "follow": ["true"], "offset": ["0"]}


@pytest.mark.parametrize("broken", [cut, reset])
def test_a_follower_that_is_cut_has_what_came_and_is_told(
    api: ScriptedApi, client: ApiClient, broken: Any
) -> None:
    api.scripts = [stream(b"one\n", then=broken)]
    came: list[bytes] = []

    with pytest.raises(UnavailableError, match="cut"):
        came.extend(client.follow_log("1"))

    assert b"".join(came) in (b"one\n", b"")


def test_a_silent_log_is_asked_for_again_where_it_was(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SILENT_SECONDS", 0.1)
    api.scripts = [stream(b"one\n", then=silence), stream(b"two\n", then=end)]

    assert b"".join(client.follow_log("1")) == b"one\ntwo\n"
    assert [request.query["offset"] for request in api.requests] == [["0"], ["4"]]


def test_an_api_that_never_begins_to_answer_a_follower_is_unavailable(
    api: ScriptedApi, client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SILENT_SECONDS", 0.1)
    api.scripts = [silence]

    with pytest.raises(UnavailableError, match="timed out"):
        list(client.follow_log("1"))


# --- the real API ---------------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path) -> Iterator[ApiClient]:
    with live_api(tmp_path) as url, ApiClient(url, TOKEN) as client:
        yield client


def test_every_field_of_a_run_comes_through(real: ApiClient) -> None:
    given: dict[str, Any] = {
        "name": "whole", "image": "busybox:1.35", "env": {"A": "b"}, "labels": {"team": "x"},
        "command": ["sh"], "args": ["-c", "true"], "envFrom": [{"configMapRef": {"name": "c"}}],
        "resources": {"limits": {"cpu": "1"}}, "serviceAccountName": "robot",
        "imagePullSecrets": [{"name": "s"}], "timeoutSeconds": 60, "ttlSecondsAfterFinished": 5,
        "origin": "crd", "cluster": "uid-1",
        "k8sRef": {"namespace": "team", "name": "whole", "uid": str(uuid.uuid4())},
    }  # fmt: skip
    registered = real.create_run(given)
    real.append_log(registered.id, "test", 0, b"hello\n")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    real.cancel_run(registered.id)
    failure = Failure(class_=FailureClass.TEST, reason="Error", message="exit code 3", exit_code=3)
    ended = real.report_run(
        registered.id,
        RunReport(
            status=Status.FAILED, job_uid="uid-2", started_at=at, finished_at=at, failure=failure,
            log=Log(state=LogState.PARTIAL, reason="NodeLost"), status_reason="r",
        ),
    )  # fmt: skip
    definition = real.create_definition({"name": "d", "image": "i", "commands": ["true"]})
    by_definition = real.run_definition(definition.id)
    again = real.rerun_run(by_definition.id)
    seen = (ended, by_definition, again)

    assert ended.failure == failure
    assert ended.log == Log(state=LogState.PARTIAL, reason="NodeLost", bytes=6)
    assert ended == real.get_run(ended.id)
    nothing = Run(id="", name="", status=Status.PENDING, origin=Origin.API, created_at=at)
    for field in set(Run.__struct_fields__) - NOT_YET:
        unset = getattr(nothing, field)
        assert any(getattr(run, field) != unset for run in seen), field


def test_a_log_of_the_real_api_is_read_tailed_and_followed(real: ApiClient) -> None:
    run = real.create_run({"name": "n", "image": "i"})
    real.append_log(run.id, "test", 0, b"one\ntwo\n")
    came: list[bytes] = []
    follower = threading.Thread(target=lambda: came.extend(real.follow_log(run.id, offset=4)))
    follower.start()
    real.append_log(run.id, "test", 8, b"three\n")
    with pytest.raises(OffsetError) as raised:
        real.append_log(run.id, "test", 2, b"other")
    real.report_run(run.id, RunReport(status=Status.SUCCEEDED))
    follower.join(10)

    assert raised.value.stored == 14
    assert b"".join(came) == b"two\nthree\n"
    assert real.get_log(run.id, tail=1) == b"three\n"
    assert real.get_log(run.id) == b"one\ntwo\nthree\n"


def test_all_pages_of_definitions_are_read(
    real: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [real.create_definition({"name": f"d{n}", "image": "i"}) for n in range(3)]
    send = ApiClient._send

    def one_at_a_time(self: ApiClient, method: str, path: str, silence: float, **kw: Any) -> Any:
        if method == "GET":
            kw["params"]["limit"] = 1
        return send(self, method, path, silence, **kw)

    monkeypatch.setattr(ApiClient, "_send", one_at_a_time)

    assert list(real.list_definitions()) == made[::-1]
