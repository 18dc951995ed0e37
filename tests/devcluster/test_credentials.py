"""Certificates, token and kubeconfig."""

import json
import ssl
from pathlib import Path

import pytest

from sparktest.devcluster.credentials import bearer_token, certificates, write_kubeconfig
from sparktest.errors import InvalidError


def test_the_ca_and_the_token_are_kept_over_restarts(tmp_path: Path) -> None:
    ca, server = certificates(tmp_path)
    first, first_server, token = ca.read_bytes(), server.read_bytes(), bearer_token(tmp_path)
    again, new_server = certificates(tmp_path)
    assert (again.read_bytes(), bearer_token(tmp_path)) == (first, token)
    assert new_server.read_bytes() != first_server


def test_a_damaged_ca_is_reported(tmp_path: Path) -> None:
    ca, _ = certificates(tmp_path)
    ca.write_text("damaged")
    with pytest.raises(InvalidError, match="is damaged; remove both"):
        certificates(tmp_path)


def test_the_server_certificate_loads_with_its_key(tmp_path: Path) -> None:
    ca, server = certificates(tmp_path)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(server)
    assert ssl.create_default_context(cafile=str(ca)).cert_store_stats()["x509_ca"] >= 1


def test_every_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    ca, _ = certificates(tmp_path)
    write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", ca, bearer_token(tmp_path))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    config = json.loads((tmp_path / "kubeconfig").read_text())
    assert config["users"][0]["user"]["token"] == bearer_token(tmp_path)
