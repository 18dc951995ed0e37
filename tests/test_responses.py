from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sparktest.client import ApiClient
from sparktest.errors import (
    BY_STATUS,
    ConflictError,
    InvalidError,
    OffsetError,
    SparkTestError,
    UnavailableError,
)
from sparktest.responses import ForeignServerError
from sparktest.sanitize import clean
from tests.scripted_api import ScriptedApi, answer, problem, scripted_api

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


@pytest.mark.parametrize(("status", "kind"), BY_STATUS.items(), ids=lambda value: str(value))
def test_the_client_raises_the_class_that_the_server_raised(
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
        (502, UnavailableError),
        (500, UnavailableError),
        (504, UnavailableError),
    ],
)
def test_a_status_without_its_own_error_class_is_named_in_the_message(
    api: ScriptedApi, client: ApiClient, status: int, kind: type[SparkTestError]
) -> None:
    api.scripts = [answer(body=b"<html>", status=status, headers={"Content-Type": "text/html"})]

    with pytest.raises(kind, match=f"^HTTP {status} "):
        client.get_run("1")


@pytest.mark.parametrize("status", [302, 404, 405, 501])
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_server_that_is_not_an_api_of_sparktest_is_named(
    api: ScriptedApi, client: ApiClient, status: int, content_type: str
) -> None:
    api.scripts = [answer({"detail": "x"}, status, headers={"Content-Type": content_type})]

    with pytest.raises(ForeignServerError) as raised:
        client.get_run("1")

    assert raised.value.detail == f"{api.url} is not a SparkTest API (HTTP {status})"


@pytest.mark.usefixtures("garbage_collection_paused")
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"detail": 1}', b'{"errors": [1]}']
)
def test_an_invalid_problem_document_still_gives_the_error_of_its_status(
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
def test_a_retry_after_that_is_not_a_number_is_ignored(
    api: ScriptedApi, client: ApiClient, value: str
) -> None:
    api.scripts = [problem(429, {"Retry-After": value}, detail="slow down")]

    with pytest.raises(SparkTestError) as raised:
        client.get_run("1")

    assert raised.value.retry_after is None


# --- headers, links and cleaning ------------------------------------------------------------------


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
def test_warnings_are_passed_to_the_callback(
    api: ScriptedApi, header: str, texts: list[str]
) -> None:
    api.scripts = [answer(RUN, headers={"Warning": header})]
    warnings: list[str] = []

    with ApiClient(api.url, warn=warnings.append) as client:
        client.create_run({})

    assert warnings == texts


def test_every_text_of_a_response_is_cleaned(api: ScriptedApi) -> None:
    bad = "a\x1b]0;title\x07b"
    api.scripts = [
        answer(RUN | {"name": bad}, headers={"Warning": '299 - "a\\u001b[31mb"'}),
        problem(422, detail=bad, errors=[{"pointer": bad, "detail": bad}]),
        answer(status=204, body=b"", headers={"SparkTest-Remaining": "kubectl \x1b[2Jdelete"}),
    ]
    warnings: list[str] = []

    with ApiClient(api.url, clean=clean, warn=warnings.append) as client:
        run = client.get_run("1")
        with pytest.raises(InvalidError) as raised:
            client.create_run({})
        remaining = client.delete_run("1")

    assert run.name == "ab"
    assert warnings == ["ab"]
    assert raised.value.detail == "ab"
    assert raised.value.errors == ({"pointer": "ab", "detail": "ab"},)
    assert remaining == "kubectl delete"


def test_a_page_has_the_cursor_of_the_next_page(api: ScriptedApi, client: ApiClient) -> None:
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
        "status": ["failed", "timed_out"],
        "q": ["two words"],
        "updatedSince": ["2026-01-02T00:00:00Z"],
        "limit": ["1"],
    }
    assert api.requests[1].query["cursor"] == ["a/b"]


@pytest.mark.parametrize(
    "link",
    ['<http://[>; rel="next"', '<?page=2>; rel="next"', '<?cursor=a>; rel="prev"', "nonsense"],
)
def test_an_invalid_link_to_a_next_page_is_ignored(
    api: ScriptedApi, client: ApiClient, link: str
) -> None:
    api.scripts = [answer([], headers={"Link": link})]

    assert client.list_runs().next is None
    assert client.definitions.list() == ()


def test_an_id_is_escaped_in_the_path(api: ScriptedApi, client: ApiClient) -> None:
    api.scripts = [answer(RUN)]

    client.get_run("../test-definitions/1?x=1#y")

    assert api.requests[0].path == "/api/test-runs/..%2Ftest-definitions%2F1%3Fx%3D1%23y"
    assert api.requests[0].query == {}
