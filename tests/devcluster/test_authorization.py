"""Authorization: requests without the token and requests from web pages are rejected."""

import json
import re
import socket
from typing import Any

import pytest

from sparktest.devcluster import server
from tests.devcluster.client import JOBS, MAPS, PODS, Client, config_map

METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "x",
]
ROUTES = [
    "/",
    "*",
    "/version",
    "/healthz",
    "/livez",
    "/readyz",
    "/api",
    "/apis",
    "/api/v1",
    "/apis/batch",
    "/apis/batch/v1",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/api/v1",
    "/api/v1/namespaces",
    "/api/v1/namespaces/default",
    "/api/v1/secrets",
    "/api/v1/namespaces/default/secrets/x",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    MAPS,
    f"{MAPS}?watch=1",
    JOBS,
    f"{JOBS}/x/status",
    PODS,
    f"{PODS}/x/log?follow=1",
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/nowhere",
    "//evil.example/version",
    "/%2e%2e/%2e%2e/token",
    "/../token",
    "/\x1b[31m",
]


def raw(client: Client, text: str, body: str = "") -> bytes:
    """Send bytes; return everything that is received until the connection is closed."""
    host, _, port = client.address.partition(":")
    with (
        socket.create_connection((host, int(port)), timeout=60) as plain,
        client.tls.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(text.replace("\n", "\r\n").encode("latin-1") + body.encode())
        received = b""
        while data := secure.recv(65536):
            received += data
    return received


def request(client: Client, line: str, *, token: bool = False, **headers: str) -> str:
    """Return the head of a request, with the token only if `token` is set."""
    named = {"Host": client.address} | {key.replace("_", "-"): v for key, v in headers.items()}
    if token:
        named["Authorization"] = f"Bearer {client.token}"
    lines = [line, *(f"{name}: {value}" for name, value in named.items() if value), "", ""]
    return "\n".join(lines)


def codes(answer: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", answer)]


def reason(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["reason"]


@pytest.mark.parametrize("method", METHODS)
def test_without_the_token_every_method_of_every_route_is_unauthorized(
    client: Client, method: str
) -> None:
    for route in ROUTES:
        answer = raw(client, request(client, f"{method} {route} HTTP/1.1", Connection="close"))
        assert codes(answer) == [401], route
        assert method == "HEAD" or reason(answer) == "Unauthorized"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_with_the_token_an_unknown_method_is_not_allowed(client: Client, version: str) -> None:
    head = request(client, f"PROPFIND {client.at(MAPS)} {version}", token=True, Connection="close")
    assert codes(raw(client, head)) == [405]


def test_http_1_0_needs_the_token_too_and_gets_no_chunks(client: Client) -> None:
    line = f"GET {client.at(MAPS)} HTTP/1.0"
    assert codes(raw(client, request(client, line))) == [401]
    assert codes(raw(client, request(client, line, token=True))) == [200]
    client.create(MAPS, config_map("a"))
    watch = f"GET {client.at(MAPS)}?watch=1&timeoutSeconds=1 HTTP/1.0"
    head, _, body = raw(client, request(client, watch, token=True)).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert json.loads(body)["object"]["metadata"]["name"] == "a"


@pytest.mark.parametrize(
    "line",
    [
        "GET /version",
        "GET",
        "",
        "\x16\x03\x01",
        "GET /version HTTP/9.9",
        "GET /a b HTTP/1.1",
        "GET / HTTP/x",
        "GET /" + "a" * 70_000 + " HTTP/1.1",
    ],
)
def test_an_invalid_request_gets_an_error_only(client: Client, line: str) -> None:
    answer = raw(client, request(client, line, Connection="close"))
    assert b"<" not in answer
    assert b"gitVersion" not in answer
    assert not codes(answer) or codes(answer)[0] >= 400


def test_each_pipelined_request_needs_the_token(client: Client) -> None:
    good, bad = (request(client, "GET /version HTTP/1.1", token=token) for token in (True, False))
    assert codes(raw(client, good + good + bad + good)) == [200, 200, 401]


def test_the_body_of_a_rejected_request_is_not_parsed_as_the_next_request(client: Client) -> None:
    inner = request(client, "DELETE /api/v1/namespaces/default HTTP/1.1", token=True)
    for length in (str(len(inner)), "0x10", str(10**9)):
        head = request(client, "POST /version HTTP/1.1", Content_Length=length)
        assert codes(raw(client, head, inner)) == [401]


def test_a_connection_without_the_token_times_out_early(
    own: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.3)
    good = request(own, "GET /version HTTP/1.1", token=True)
    assert codes(raw(own, good[:-40])) == []
    assert codes(raw(own, request(own, "POST /version HTTP/1.1", Content_Length="9"))) == [401]
    with own.stream(f"{MAPS}?watch=1") as stream:
        own.get("/version")
        assert raw(own, "") == b""
        own.create(MAPS, config_map("a"))
        assert stream.event()["type"] == "ADDED"
        kept = own._connection
        own.get("/version")
        assert own._connection is kept


def test_an_unauthorized_request_is_not_asked_for_its_body(client: Client) -> None:
    line = f"POST {client.at(MAPS)} HTTP/1.1"
    body = json.dumps(config_map("a"))
    more: dict[str, Any] = {
        "Expect": "100-continue",
        "Content_Length": str(len(body)),
        "Connection": "close",
    }
    assert codes(raw(client, request(client, line, **more))) == [401]
    assert codes(raw(client, request(client, line, token=True, **more), body)) == [100, 201]


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1", "localhost:1", "127.0.0.1:0@evil.example"]
)
def test_another_host_name_is_rejected(client: Client, host: str) -> None:
    line = "GET /version HTTP/1.1"
    head = request(client, line, token=True, Host=host, Connection="close")
    assert codes(raw(client, head)) == [403]


def test_the_host_of_an_absolute_request_line_counts(client: Client) -> None:
    for url, code in (
        (f"https://{client.address}/version", 200),
        ("https://evil.example/version", 403),
        ("http://[/version", 400),
    ):
        head = request(client, f"GET {url} HTTP/1.1", token=True, Connection="close")
        assert codes(raw(client, head)) == [code]


@pytest.mark.parametrize("token", [False, True])
@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
def test_a_web_page_is_rejected_and_gets_no_cors_header(
    client: Client, method: str, token: bool
) -> None:
    head = request(
        client,
        f"{method} {client.at(MAPS)} HTTP/1.1",
        token=token,
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Private_Network="true",
        Connection="close",
    )
    answer = raw(client, head)
    assert codes(answer) == [403]
    assert b"access-control" not in answer.lower()


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "a\x00b", "\x1b[31m", "ü", "tmp/../../x"])
def test_the_name_of_an_object_cannot_leave_its_folder(client: Client, name: str) -> None:
    spec = {"containers": [{"name": name, "image": "i", "command": ["true"]}]}
    reply = client.call("POST", PODS, {"metadata": {"name": "p"}, "spec": spec})
    assert reply.code == 422
    spec["containers"][0]["name"] = "c"
    assert client.call("POST", PODS, {"metadata": {"name": name}, "spec": spec}).code == 422


def test_a_path_cannot_reach_a_file(client: Client) -> None:
    for path in ("/..%2f..%2ftoken", "/%2e%2e%2ftoken", f"{PODS}/..%2f..%2ftoken/log"):
        assert client.call("GET", path).code == 404


def test_control_characters_in_an_error_are_escaped(client: Client) -> None:
    reply = client.call("GET", f"{MAPS}/%1b%5b31m%0d%0aSet-Cookie:%20a=b")
    assert (reply.code, reply.headers["Set-Cookie"]) == (404, None)
    fields = {"\x1b[31m\r\nX: y": "z"}
    made = client.call("POST", MAPS, config_map("a") | fields)
    assert made.code == 201
    assert made.headers["X"] is None
    assert "\x1b" not in made.headers["Warning"]
