"""The ServiceAccounts of controller and API in a real cluster, and which rights they use."""

import json
import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from sparktest.cli import rbac
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import Resource

ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
RBAC = "rbac.authorization.k8s.io"
RESOURCES = {
    "ServiceAccount": ACCOUNTS,
    "Role": Resource(RBAC, "v1", "roles", "Role"),
    "RoleBinding": Resource(RBAC, "v1", "rolebindings", "RoleBinding"),
}
# Longer than a test session.
TOKEN_SECONDS = 7200
# What the API server says of a request that no Role allows.
DENIED = re.compile(r'User "system:serviceaccount:[^"]*" cannot [^\n]*')
# The requests that urllib3 logs at the level debug.
REQUEST = re.compile(r'https://\S+ "([A-Z]+) (/apis?/\S+) HTTP/1.1" (\d+)')
OBJECT = re.compile(r"/(?:api|apis/[^/]+)/[^/]+/namespaces/[^/]+/([^/]+)(?:/([^/]+)(?:/([^/]+))?)?")
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def install(cluster: Cluster, namespace: str) -> None:
    """Create ServiceAccounts and Roles for a namespace in which everything happens."""
    for manifest in yaml.safe_load_all(rbac.manifests([namespace], namespace)):
        cluster.create(RESOURCES[manifest["kind"]], namespace, manifest)


def kubeconfig(cluster: Cluster, admin: str, namespace: str, account: str, folder: Path) -> str:
    """Write a kubeconfig with a token of the account, and return its path."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    path = ACCOUNTS.path(namespace, account, "token")
    token = cluster._transport.call("POST", path, body=request)["status"]["token"]
    document = yaml.safe_load(Path(admin).read_text(encoding="utf-8"))
    for user in document["users"]:
        user["user"] = {"token": token}
    written = folder / f"{account}.kubeconfig"
    written.write_text(json.dumps(document), encoding="utf-8")
    return str(written)


def granted(namespace: str, account: str) -> dict[str, set[str]]:
    """Return resource → verbs that the Roles grant to the account."""
    found: dict[str, set[str]] = defaultdict(set)
    documents = list(yaml.safe_load_all(rbac.manifests([namespace], namespace)))
    names = {
        each["roleRef"]["name"]
        for each in documents
        if each["kind"] == "RoleBinding" and each["subjects"][0]["name"] == account
    }
    for each in documents:
        if each["kind"] == "Role" and each["metadata"]["name"] in names:
            for rule in each["rules"]:
                for resource in rule["resources"]:
                    found[resource] |= set(rule["verbs"])
    return found


def used(log: str) -> dict[str, set[str]]:
    """Return resource → verbs of the requests in the debug log of a program."""
    found: dict[str, set[str]] = defaultdict(set)
    for method, target, status in REQUEST.findall(log):
        url = urlsplit(target)
        parts = OBJECT.fullmatch(url.path)
        if parts and status != "403":
            plural, name, subresource = parts.groups()
            watch = "watch" in parse_qs(url.query)
            read = "get" if name else "watch" if watch else "list"
            resource = "/".join(filter(None, (plural, subresource)))
            found[resource].add(VERBS.get(method, read))
    return found


def denials(log: str) -> list[str]:
    """Return what the log of a program says of requests that no Role allows."""
    return DENIED.findall(log)
