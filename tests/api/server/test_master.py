"""The server as a process: startup, errors, log streams, signals."""

import gc
import json
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from sparktest.api.context import MAX_STREAMS
from sparktest.api.logs import MAX_APPEND_BYTES
from sparktest.api.parsing import MAX_BODY_BYTES
from sparktest.api.server import master
from sparktest.errors import ConflictError, ForbiddenError, InvalidError, UnavailableError
from sparktest.settings import Settings
from tests.api.requests import adhoc
from tests.api.servers import TIMEOUT_SECONDS, running, wait_until


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running(f"sqlite:///{folder}/new/sparktest.db") as (_, address):
        yield address


def send_raw(address: str, data: bytes) -> bytes:
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as client:
        client.sendall(data)
        response = b""
        while part := client.recv(65536):
            response += part
    return response


def test_it_serves_from_a_database_that_it_created(address):
    assert address.startswith("http://127.0.0.1:")
    assert requests.get(f"{address}/readyz", timeout=TIMEOUT_SECONDS).json()["status"] == "healthy"


@pytest.mark.parametrize(
    ("request_line", "status"), [(b"NONSENSE", 400), (b"GET /" + b"a" * 9000 + b" HTTP/1.1", 414)]
)
def test_malformed_http_is_answered_with_a_problem(address, request_line, status):
    head, _, body = send_raw(address, request_line + b"\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    ("method", "path", "kind", "limit"),
    [
        ("POST", "", "application/json", MAX_BODY_BYTES),
        ("PUT", "/{run}/logs/test?offset=0", "application/octet-stream", MAX_APPEND_BYTES),
    ],
)
def test_a_chunked_body_over_the_limit_is_refused_and_nothing_of_it_stored(
    address, method, path, kind, limit
):
    runs = f"{address}/api/test-runs"
    run = requests.post(runs, json=adhoc(), timeout=TIMEOUT_SECONDS).json()["id"]
    # An iterator is sent in chunks, without a Content-Length.
    body = (b" " * 65536 for _ in range(limit // 65536 + 1))
    response = requests.request(
        method,
        runs + path.format(run=run),
        data=body,
        headers={"Content-Type": kind},
        timeout=TIMEOUT_SECONDS,
    )
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    log = requests.get(f"{runs}/{run}/logs", timeout=TIMEOUT_SECONDS)
    assert (log.status_code, log.content) == (200, b"")


def test_a_follower_receives_lines_while_the_run_is_active(address):
    runs = f"{address}/api/test-runs"
    run = requests.post(runs, json=adhoc(), timeout=TIMEOUT_SECONDS).json()["id"]
    received: list[bytes] = []

    def follow():
        url = f"{runs}/{run}/logs?follow=true"
        with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS) as response:
            received.extend(response.iter_content(chunk_size=None))
        received.append(b"END")

    follower = threading.Thread(target=follow)
    follower.start()
    log = f"{runs}/{run}/logs/test"
    kind = {"Content-Type": "application/octet-stream"}
    requests.put(f"{log}?offset=0", data=b"one\n", headers=kind, timeout=TIMEOUT_SECONDS)
    wait_until(lambda: received == [b"one\n"])
    requests.put(f"{log}?offset=4", data=b"two\n", headers=kind, timeout=TIMEOUT_SECONDS)
    requests.put(f"{runs}/{run}/report", json={"status": "succeeded"}, timeout=TIMEOUT_SECONDS)
    follower.join(TIMEOUT_SECONDS)
    assert received == [b"one\n", b"two\n", b"END"]


def test_disconnected_followers_release_their_slots(address):
    runs = f"{address}/api/test-runs"
    run = requests.post(runs, json=adhoc(), timeout=TIMEOUT_SECONDS).json()["id"]
    kind = {"Content-Type": "application/octet-stream"}
    requests.put(
        f"{runs}/{run}/logs/test?offset=0", data=b"x", headers=kind, timeout=TIMEOUT_SECONDS
    )
    url = f"{runs}/{run}/logs?follow=true"
    followers = [
        requests.get(url, stream=True, timeout=TIMEOUT_SECONDS) for _ in range(MAX_STREAMS)
    ]
    assert {follower.status_code for follower in followers} == {200}
    assert requests.get(url, timeout=TIMEOUT_SECONDS).status_code == 503
    assert requests.get(f"{address}/livez", timeout=TIMEOUT_SECONDS).status_code == 200
    for follower in followers:
        follower.close()

    def has_room() -> bool:
        with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS) as response:
            return response.status_code == 200

    wait_until(has_room)


def test_a_port_in_use_is_reported_with_its_setting():
    with (
        master.listen("127.0.0.1", 0) as listener,
        pytest.raises(ConflictError, match=r"port \d+ on 127.0.0.1 is taken.*SPARKTEST_PORT"),
    ):
        master.listen("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize("host", ["no such host", "203.0.113.7"])
def test_an_address_of_another_machine_is_reported_with_its_setting(host):
    with pytest.raises(InvalidError, match="SPARKTEST_HOST"):
        master.listen(host, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "api.example"])
def test_without_a_token_only_loopback_addresses_are_allowed(host):
    with pytest.raises(ForbiddenError, match="SPARKTEST_TOKEN"):
        master.serve(Settings(host=host, port=0))
    master.refuse_exposure(Settings(host=host, token="t" * 16))
    with pytest.raises(ForbiddenError, match="SPARKTEST_TOKEN has fewer than 16 characters"):
        master.refuse_exposure(Settings(host=host, token="t" * 15))
    master.refuse_exposure(Settings(host="localhost"))


def test_the_server_does_not_start_without_its_database(capsys):
    url = "postgresql://u:canary@127.0.0.1:1/none?connect_timeout=1"
    with pytest.raises(UnavailableError) as raised:
        master.serve(Settings(port=0, database_url=url))
    assert "canary" not in str(raised.value) + capsys.readouterr().out


def test_what_the_master_has_loaded_stays_shared_with_its_workers():
    try:
        server = master._Server.__new__(master._Server)
        worker: Any = SimpleNamespace()
        server._assign_slot(SimpleNamespace(WORKERS={}), worker)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
