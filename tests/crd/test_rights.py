"""The rights of both RBAC forms on a real cluster: what the programs need, and no more."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from sparktest.cli import rbac
from sparktest.errors import ForbiddenError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import JOBS, NAMESPACES, PODS, SELF_SUBJECT_ACCESS_REVIEWS, TESTRUNS
from sparktest.settings import Settings
from tests.crd.conftest import IMAGE, manifest
from tests.real_cluster import kubectl, namespace_in
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
API = {"jobs": {"list"}, "pods": {"list"}, "pods/log": {"get"}}


class Form(NamedTuple):
    """One of the two forms of the manifests, installed: `own` has the ServiceAccounts."""

    cluster_wide: bool
    own: str
    as_account: Callable[[str], Cluster]


@pytest.fixture(scope="module", params=[True, False], ids=["cluster-wide", "namespaced"])
def form(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    namespace: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Form]:
    """Install a form of the manifests; `as_account` returns a client for a ServiceAccount."""
    document = yaml.safe_load(Path(require_cluster()).read_text(encoding="utf-8"))
    with namespace_in(cluster, "rights") as own:
        text = rbac.manifests([] if request.param else [namespace], own)
        documents = [_with_own_name(each, own) for each in yaml.safe_load_all(text)]
        given = yaml.safe_dump_all(documents).encode()
        kubectl("apply", "-f", "-", stdin=given)

        def connect(account: str) -> Cluster:
            token = kubectl("-n", own, "create", "token", account).strip()
            for user in document["users"]:
                user["user"] = {"token": token}
            path = tmp_path_factory.mktemp(account) / "kubeconfig"
            path.write_text(yaml.safe_dump(document), encoding="utf-8")
            return Cluster.connect(Settings(kubeconfig=str(path)))

        try:
            yield Form(request.param, own, connect)
        finally:
            kubectl("delete", "--wait=false", "-f", "-", stdin=given)


def _with_own_name(document: dict[str, Any], suffix: str) -> dict[str, Any]:
    """Return the object with a name of its own if it belongs to no namespace."""
    if "namespace" not in document["metadata"]:
        document["metadata"]["name"] += f"-{suffix}"
        if "roleRef" in document:
            document["roleRef"]["name"] += f"-{suffix}"
    return document


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


def test_the_controller_may_do_what_it_needs_and_nothing_else(form: Form, namespace: str) -> None:
    controller = form.as_account("sparktest-controller")
    assert rights(controller, namespace) == CONTROLLER
    leases = {"leases": {"create", "get", "patch"}}
    own = CONTROLLER | leases if form.cluster_wide else leases
    assert rights(controller, form.own) == own


def test_the_api_may_read_jobs_and_logs_and_nothing_else(form: Form, namespace: str) -> None:
    api = form.as_account("sparktest-api")
    assert rights(api, namespace) == API
    assert rights(api, form.own) == (API if form.cluster_wide else {})


@pytest.mark.parametrize("account", ["sparktest-controller", "sparktest-api"])
def test_only_a_cluster_wide_controller_may_read_the_uid_of_the_cluster(
    form: Form, cluster: Cluster, account: str
) -> None:
    limited = form.as_account(account)
    assert limited.has_resource(TESTRUNS)
    if form.cluster_wide and account == "sparktest-controller":
        assert limited.uid() == cluster.uid()
    else:
        with pytest.raises(ForbiddenError, match="set SPARKTEST_CLUSTER"):
            limited.uid()
    with pytest.raises(ForbiddenError):
        limited.get(NAMESPACES, None, "default")
    with pytest.raises(ForbiddenError):
        limited.list(NAMESPACES)


def test_the_controller_carries_a_testrun_with_its_rights(
    form: Form, cluster: Cluster, namespace: str
) -> None:
    controller = form.as_account("sparktest-controller")
    name = f"of-{form.own}"
    made = cluster.create(TESTRUNS, namespace, manifest(IMAGE, name=name))
    controller.patch(TESTRUNS, namespace, name, {"metadata": {"labels": {"a": "b"}}})
    status = {"status": {"phase": "Pending"}}
    controller.patch(TESTRUNS, namespace, name, status, subresource="status")
    owner = {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "name": name,
        "uid": made["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    pod = {"restartPolicy": "Never", "containers": [{"name": "test", "image": "busybox:1.35"}]}
    job = {
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }
    assert controller.create(JOBS, namespace, job)["metadata"]["ownerReferences"] == [owner]
    controller.delete(JOBS, namespace, name)
    assert controller.list(PODS, namespace).items == []
