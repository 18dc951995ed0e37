import socket
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sparktest.controller import metrics_server
from sparktest.controller.metrics import ControllerMetrics
from sparktest.controller.metrics_server import (
    MAX_CONNECTIONS,
    MetricsServer,
    Page,
    check_page,
    metrics_page,
    parse_bind,
)
from sparktest.errors import InvalidError


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def server(problems: list[str]) -> Iterator[MetricsServer]:
    metrics = ControllerMetrics()
    pages = {"/metrics": lambda: metrics_page(metrics), "/healthz": lambda: check_page(problems)}
    with MetricsServer("127.0.0.1:0", pages) as running:
        yield running


def get(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_check_answers_ok_or_503_with_the_problems(
    server: MetricsServer, problems: list[str]
) -> None:
    assert get(server, "/healthz") == (200, b"ok\n")
    problems += ["one", "two"]
    assert get(server, "/healthz?verbose") == (503, b"one\ntwo\n")


def test_the_metrics_are_readable_by_prometheus(server: MetricsServer) -> None:
    status, body = get(server, "/metrics")
    assert status == 200
    names = {family.name for family in text_string_to_metric_families(body.decode())}
    assert {"workqueue_depth", "controller_runtime_reconcile"} <= names


def test_other_paths_and_methods_are_refused(server: MetricsServer) -> None:
    assert get(server, "/")[0] == 404
    assert get(server, "/../metrics")[0] == 404
    assert get(server, "/healthz", "POST")[0] == 501
    assert get(server, "/healthz", "HEAD") == (200, b"")


def test_silent_connections_do_not_keep_others_out(server: MetricsServer) -> None:
    silent = [
        socket.create_connection(("127.0.0.1", server.port)) for _ in range(2 * MAX_CONNECTIONS)
    ]
    try:
        assert get(server, "/healthz") == (200, b"ok\n")
        # The oldest ones were ended.
        silent[0].settimeout(30)
        assert silent[0].recv(1) == b""
    finally:
        for connection in silent:
            connection.close()


def test_a_silent_connection_is_ended(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.05)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as silent:
        assert silent.recv(1) == b""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8081", ("127.0.0.1", 8081)),
        (":8081", ("", 8081)),
        ("[::1]:8081", ("::1", 8081)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_has_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_bind(text) == expected


@pytest.mark.parametrize("text", ["8081", "::1:8081", "host:", "host:99999", "a b:c", ""])
def test_another_address_is_named_with_the_setting(text: str) -> None:
    with pytest.raises(InvalidError, match="SPARKTEST_CONTROLLER_METRICS_BIND"):
        parse_bind(text)


def test_an_address_in_use_is_an_error_that_names_it(server: MetricsServer) -> None:
    with pytest.raises(InvalidError, match=f"127.0.0.1:{server.port}: .*in use"):
        MetricsServer(f"127.0.0.1:{server.port}", {})


def test_without_a_host_it_listens_on_all_addresses() -> None:
    page = Page(HTTPStatus.OK, b"here\n")
    with MetricsServer(":0", {"/": lambda: page}) as server:
        assert get(server, "/") == (200, b"here\n")
