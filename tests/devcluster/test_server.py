"""Authorization, TLS and the limits of a request."""

import http.client
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from sparktest.devcluster.app import DevCluster
from sparktest.devcluster.server import MAX_BODY_BYTES
from sparktest.errors import ConflictError, UnavailableError
from tests.devcluster.client import MAPS, Client, config_map

PATHS = ["/", "/version", "/healthz", "/api", "/apis", "/openapi/v3", "/api/v1/namespaces", MAPS]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", "Basic x", "Bearer é"])
def test_every_path_needs_the_token(client: Client, path: str, header: str) -> None:
    reply = client.call("GET", path, Authorization=header)
    assert (reply.code, reply.body["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost:1"},
        {"Host": "[::1]"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_web_page_is_rejected_even_with_the_token(
    client: Client, headers: dict[str, str]
) -> None:
    assert client.call("GET", "/version", **headers).code == 403


def test_it_listens_on_the_loopback_address_only(cluster: DevCluster) -> None:
    port = int(cluster.url.rpartition(":")[2])
    # A server on all addresses would answer here too.
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.2", port), timeout=60).close()


def test_the_certificate_is_signed_by_its_own_ca_for_this_address(client: Client) -> None:
    stranger = http.client.HTTPSConnection(
        client.address, context=ssl.create_default_context(), timeout=5
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/version")
    strict = client.tls
    strict.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    assert client.call("GET", "/version").code == 200


def test_secret_files_are_readable_by_their_owner_only(cluster: DevCluster) -> None:
    folder = cluster.kubeconfig.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("kubeconfig", "token", "ca.key", "server.pem"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


def test_a_connection_is_kept_alive(client: Client) -> None:
    client.get("/version")
    kept = client._connection
    client.create(MAPS, config_map("a"))
    assert client.call("GET", f"{MAPS}/absent").code == 404
    client.get(MAPS)
    assert client._connection is kept


def test_a_connection_without_tls_is_closed(client: Client) -> None:
    host, _, port = client.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as plain:
        plain.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            assert b"HTTP" not in plain.recv(1000)
    client.get("/version")


def test_a_body_in_chunks_is_read(client: Client) -> None:
    connection = client.connect()
    body = iter([b'{"metadata":', b'{"name":"a"}}'])
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    connection.request("POST", MAPS, body, headers, encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()


@pytest.mark.parametrize(("size", "code"), [(b"x", 400), (b"-5", 413), (b"ffffffff", 413)])
def test_a_chunk_with_an_invalid_size_is_rejected(client: Client, size: bytes, code: int) -> None:
    connection = client.connect()
    connection.putrequest("POST", MAPS)
    connection.putheader("Authorization", f"Bearer {client.token}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(size + b"\r\n")
    assert connection.getresponse().status == code
    connection.close()


@pytest.mark.parametrize("length", [str(MAX_BODY_BYTES + 1), "many", "-1"])
def test_a_body_that_is_too_large_is_rejected_before_it_is_read(
    client: Client, length: str
) -> None:
    connection = client.connect()
    connection.putrequest("POST", MAPS)
    connection.putheader("Authorization", f"Bearer {client.token}")
    connection.putheader("Content-Length", length)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_only_one_dev_cluster_runs_on_a_folder(cluster: DevCluster) -> None:
    with pytest.raises(ConflictError, match="another dev cluster"):
        DevCluster.start(cluster.kubeconfig.parent)


def test_a_damaged_port_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("not a port")
    with DevCluster.start(tmp_path) as running:
        assert (tmp_path / "port").read_text() == str(running.server.port)


def test_the_error_names_a_port_that_is_in_use(cluster: DevCluster, tmp_path: Path) -> None:
    port = int(cluster.url.rpartition(":")[2])
    with pytest.raises(UnavailableError, match=str(port)):
        DevCluster.start(tmp_path / "other", port)
    # A failed start leaves its folder unlocked.
    DevCluster.start(tmp_path / "other").stop()
