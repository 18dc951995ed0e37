"""The permissions of crd/rbac.yaml on a real cluster: what the programs need, and no more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest
import yaml

from sparktest.errors import ForbiddenError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import JOBS, NAMESPACES, PODS, SELF_SUBJECT_ACCESS_REVIEWS, TESTRUNS
from sparktest.settings import Settings
from tests.crd.conftest import IMAGE, manifest
from tests.real_cluster import kubectl
from tests.requirements import require_cluster

pytestmark = pytest.mark.e2e
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
KINDS = (
    ("sparktest.dev", "testruns", ""),
    ("sparktest.dev", "testruns", "status"),
    ("sparktest.dev", "testruns", "finalizers"),
    ("batch", "jobs", ""),
    ("batch", "cronjobs", ""),
    ("", "pods", ""),
    ("", "pods", "log"),
    ("", "pods", "exec"),
    ("", "events", ""),
    ("", "secrets", ""),
    ("", "configmaps", ""),
    ("", "serviceaccounts", "token"),
    ("", "namespaces", ""),
    ("", "nodes", ""),
    ("coordination.k8s.io", "leases", ""),
    ("rbac.authorization.k8s.io", "clusterroles", ""),
)
CONTROLLER = {
    "testruns": {"get", "list", "watch", "patch"},
    "testruns/status": {"patch"},
    "jobs": {"create", "get", "list", "watch", "patch", "delete"},
    "pods": {"get", "list", "watch", "patch"},
    "pods/log": {"get"},
    "events": {"create", "patch", "list"},
}
API = {"jobs": {"get", "list"}, "pods": {"get", "list"}, "pods/log": {"get"}}


@contextmanager
def installed(namespace: str) -> Iterator[None]:
    """Install crd/rbac.yaml under other names."""
    text = (files("sparktest.crd") / "rbac.yaml").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        metadata = document["metadata"]
        if document["kind"] == "Namespace":
            metadata["name"] = namespace
        elif "namespace" in metadata:
            metadata["namespace"] = namespace
        else:
            metadata["name"] += f"-{namespace}"
            if "roleRef" in document:
                document["roleRef"]["name"] += f"-{namespace}"
        for subject in document.get("subjects", []):
            subject["namespace"] = namespace
    given = yaml.safe_dump_all(documents).encode()
    kubectl("apply", "-f", "-", stdin=given)
    try:
        yield
    finally:
        kubectl("delete", "--wait=false", "-f", "-", stdin=given)


@pytest.fixture(scope="module")
def as_account(
    cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Cluster]]:
    """Return a client that authenticates as a ServiceAccount, by its name."""
    own = f"{namespace}-rights"
    document = yaml.safe_load(Path(require_cluster()).read_text(encoding="utf-8"))
    with installed(own):

        def connect(account: str) -> Cluster:
            token = kubectl("-n", own, "create", "token", account).strip()
            for user in document["users"]:
                user["user"] = {"token": token}
            path = tmp_path_factory.mktemp(account) / "kubeconfig"
            path.write_text(yaml.safe_dump(document), encoding="utf-8")
            return Cluster.connect(Settings(kubeconfig=str(path)))

        yield connect


def rights(cluster: Cluster, namespace: str) -> dict[str, set[str]]:
    """Return resource → verbs that the client may use in the namespace, out of KINDS and VERBS."""
    found: dict[str, set[str]] = {}
    for (group, resource, subresource), verb in product(KINDS, VERBS):
        attributes = {
            "namespace": namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
        }
        review = {"spec": {"resourceAttributes": attributes}}
        answer = cluster.create(SELF_SUBJECT_ACCESS_REVIEWS, None, review)
        if answer["status"]["allowed"]:
            found.setdefault("/".join(filter(None, (resource, subresource))), set()).add(verb)
    return found


def test_the_controller_may_do_what_it_needs_and_nothing_else(
    as_account: Callable[[str], Cluster], namespace: str
) -> None:
    controller = as_account("sparktest-controller")
    assert rights(controller, namespace) == CONTROLLER
    own = rights(controller, f"{namespace}-rights")
    assert own == CONTROLLER | {"leases": {"create", "get", "update", "patch"}}


def test_the_api_may_read_jobs_and_logs_and_nothing_else(
    as_account: Callable[[str], Cluster], namespace: str
) -> None:
    assert rights(as_account("sparktest-api"), namespace) == API


@pytest.mark.parametrize("account", ["sparktest-controller", "sparktest-api"])
def test_both_may_read_the_uid_of_the_cluster_and_no_other_namespace(
    as_account: Callable[[str], Cluster], cluster: Cluster, account: str
) -> None:
    limited = as_account(account)
    assert limited.uid() == cluster.uid()
    assert limited.has_resource(TESTRUNS)
    with pytest.raises(ForbiddenError):
        limited.get(NAMESPACES, None, "default")
    with pytest.raises(ForbiddenError):
        limited.list(NAMESPACES)


def test_the_controller_carries_a_testrun_with_its_rights(
    as_account: Callable[[str], Cluster], cluster: Cluster, namespace: str
) -> None:
    controller = as_account("sparktest-controller")
    made = cluster.create(TESTRUNS, namespace, manifest(IMAGE, name="rights"))
    controller.patch(TESTRUNS, namespace, "rights", {"metadata": {"labels": {"a": "b"}}})
    status = {"status": {"phase": "Pending"}}
    controller.patch(TESTRUNS, namespace, "rights", status, subresource="status")
    owner = {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "name": "rights",
        "uid": made["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    pod = {"restartPolicy": "Never", "containers": [{"name": "test", "image": "busybox:1.35"}]}
    job = {
        "metadata": {"name": "rights", "ownerReferences": [owner]},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }
    assert controller.create(JOBS, namespace, job)["metadata"]["ownerReferences"] == [owner]
    controller.delete(JOBS, namespace, "rights")
    assert controller.list(PODS, namespace).items == []
