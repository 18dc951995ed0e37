"""The kubeconfig and the token in it: the only way in."""

import base64
import json
import secrets
from pathlib import Path

from sparktest.devcluster.tls import private
from sparktest.settings import DEVCLUSTER_CONTEXT


def token(folder: Path) -> str:
    """The bearer token of this dev cluster, made once and kept in a file of its own."""
    path = folder / "token"
    if not path.exists():
        private(path, secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="ascii")


def write(path: Path, url: str, ca: Path, secret: str) -> None:
    """Write a kubeconfig with everything in it; readable by its owner only."""
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
        "users": [{"name": name, "user": {"token": secret}}],
        "contexts": [{"name": name, "context": context}],
    }
    private(path, (json.dumps(document, indent=2) + "\n").encode())
