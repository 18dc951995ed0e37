"""The credentials of the dev cluster: certificates, the bearer token and the kubeconfig."""

import base64
import json
import os
import secrets
from pathlib import Path

import trustme

from sparktest.errors import InvalidError
from sparktest.settings import DEVCLUSTER_CONTEXT


def certificates(folder: Path) -> tuple[Path, Path]:
    """Return the files of the CA certificate, and of the server certificate with its key.

    The CA is created once, so a kubeconfig stays valid as long as the folder exists. The server
    certificate is new at every start. Only the owner can read the keys.

    Raises:
        InvalidError: the stored CA is damaged.
    """
    ca_file, key_file, server_file = folder / "ca.crt", folder / "ca.key", folder / "server.pem"
    if ca_file.exists() and key_file.exists():
        try:
            ca = trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes())
        except ValueError as error:
            text = f"{ca_file} or {key_file} is damaged; remove both to create new ones"
            raise InvalidError(text) from error
    else:
        ca = trustme.CA(path_length=0, organization_name="SparkTest dev cluster")
        write_private(key_file, ca.private_key_pem.bytes())
        write_private(ca_file, ca.cert_pem.bytes())
    server = ca.issue_cert("localhost", "127.0.0.1")
    write_private(server_file, server.private_key_and_cert_chain_pem.bytes())
    return ca_file, server_file


def bearer_token(folder: Path) -> str:
    """Return the bearer token of this dev cluster; create it at the first start."""
    path = folder / "token"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")


def write_kubeconfig(path: Path, url: str, ca: Path, token: str) -> None:
    """Write a self-contained kubeconfig that only its owner can read."""
    cluster = {
        "server": url,
        "certificate-authority-data": base64.b64encode(ca.read_bytes()).decode(),
    }
    name = DEVCLUSTER_CONTEXT
    context = {"cluster": name, "user": name, "namespace": "default"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": context}],
    }
    write_private(path, (json.dumps(document, indent=2) + "\n").encode())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file atomically; only its owner can read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
    draft.replace(path)
