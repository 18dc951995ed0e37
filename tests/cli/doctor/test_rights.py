"""What doctor says of rights, with a fake cluster that grants some."""

from collections.abc import Iterable
from typing import Any, cast

import pytest

from sparktest.cli import rbac
from sparktest.cli.doctor.checks import Check, Right, granted_rights
from sparktest.cli.doctor.rights import (
    UID_RIGHT,
    USER_RIGHTS,
    controller_rights_check,
    rights_check,
)
from sparktest.errors import NotFoundError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import SELF_SUBJECT_REVIEWS, Resource
from sparktest.settings import Settings

CLUSTER_WIDE = granted_rights(rbac.manifests(), "ClusterRole", rbac.CONTROLLER)
NAMESPACED = granted_rights(rbac.manifests(["a"]), "Role", rbac.CONTROLLER)
LIST_EVENTS = Right("list", "events")
ACCOUNT = "system:serviceaccount:sparktest:sparktest-controller"


class FakeCluster:
    """A cluster that grants rights in namespaces; the namespace None stands for all."""

    def __init__(
        self, rights: Iterable[Right], namespaces: Iterable[str | None], account: str | None = None
    ) -> None:
        self._granted = {(name, right) for name in namespaces for right in rights}
        self._account = account

    def create(self, resource: Resource, namespace: str | None, review: Any) -> Any:
        if resource is SELF_SUBJECT_REVIEWS:
            if self._account is None:
                raise NotFoundError("Kubernetes before 1.28")
            return {"status": {"userInfo": {"username": self._account}}}
        asked = review["spec"]["resourceAttributes"]
        what = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
        right = Right(asked["verb"], what, asked.get("group", ""), asked.get("name", ""))
        in_namespaces = {(None, right), (asked.get("namespace"), right)}
        return {"status": {"allowed": bool(in_namespaces & self._granted)}}


def user(fake: FakeCluster, **settings: Any) -> Check:
    return rights_check(cast(Cluster, fake), Settings(**settings), "team")


def controller(fake: FakeCluster, **settings: Any) -> Check:
    return controller_rights_check(cast(Cluster, fake), Settings(**settings))


def test_a_user_with_all_rights_on_testruns_is_ok() -> None:
    assert user(FakeCluster(USER_RIGHTS, ["team"])) == Check(
        "rights", "ok", "TestRuns of namespace team"
    )


@pytest.mark.parametrize(
    ("account", "subject", "binding"),
    [
        ("eve", "--user=eve", "eve"),
        ("it; rm /", "'--user=it; rm /'", "'testruns-create-delete-it; rm -'"),
        (None, "--user=USER", "user"),
        ("system:serviceaccount:ci:bot", "--serviceaccount=ci:bot", "bot"),
    ],
    ids=["user", "hostile", "before 1.28", "service account"],
)
def test_the_missing_rights_of_a_user_are_named_with_the_commands_that_grant_them(
    account: str | None, subject: str, binding: str
) -> None:
    found = user(FakeCluster(USER_RIGHTS[1:5], ["team"], account), context="prod")

    assert found.state == "problem"
    assert found.text == "you are not allowed to create/delete testruns in namespace team"
    role, bind = found.todo.split("; kubectl ", 1)
    assert role == (
        "kubectl --context prod create role testruns-create-delete --verb=create,delete"
        " --resource=testruns.sparktest.dev -n team"
    )
    assert bind.startswith("--context prod create rolebinding ")
    assert bind.endswith(f"--role=testruns-create-delete {subject} -n team")
    assert binding in bind


def test_a_controller_with_the_rights_of_the_manifests_is_ok() -> None:
    everywhere = FakeCluster(CLUSTER_WIDE, [None])
    some = FakeCluster(NAMESPACED, ["a", "b"])

    assert user(everywhere).text == "those of a controller, which creates no TestRuns"
    assert controller(everywhere) == Check(
        "controller rights", "ok", "everything that a controller needs in all namespaces"
    )
    assert controller(some, namespaces=("a", "b"), cluster="lab") == Check(
        "controller rights", "ok", "everything that a controller needs in namespaces a, b"
    )


@pytest.mark.parametrize("account", [None, ACCOUNT])
def test_one_missing_right_of_a_controller_is_named_with_the_command_that_grants_it(
    account: str | None,
) -> None:
    rights = [right for right in CLUSTER_WIDE if right != LIST_EVENTS]
    found = controller(FakeCluster(rights, [None], account))

    assert found.state == "problem"
    assert found.text.endswith("you must also be allowed to list events in all namespaces")
    assert found.todo.startswith("sparktest crd --rbac | kubectl apply -f -")
    assert ("grants it to the ServiceAccount" in found.todo) is (account is None)
    assert found.todo.endswith("; or set SPARKTEST_NAMESPACES")


def test_rights_that_are_missing_in_some_namespaces_are_named_with_these() -> None:
    account = "system:serviceaccount:team:sparktest-controller"
    found = controller(
        FakeCluster(NAMESPACED, ["a"], account), namespaces=("a", "b", "c"), cluster="lab"
    )

    assert found.state == "problem"
    assert "patch testruns/status" in found.text
    assert found.text.endswith("create/patch/list events in namespaces b, c")
    assert found.todo == (
        "sparktest crd --rbac -n a -n b -n c --controller-namespace team | kubectl apply -f -"
    )


def test_a_controller_of_some_namespaces_needs_a_name_for_its_cluster() -> None:
    found = controller(FakeCluster(NAMESPACED, ["a"]), namespaces=("a",))

    assert found.state == "problem"
    assert found.text.endswith("must also be allowed to get namespaces kube-system")
    assert found.todo == "set SPARKTEST_CLUSTER to a name for this cluster"
    named = FakeCluster([*NAMESPACED, UID_RIGHT], [None])
    assert controller(named, namespaces=("a",)).state == "ok"


def test_a_user_who_cannot_run_a_controller_has_no_problem() -> None:
    found = controller(FakeCluster(USER_RIGHTS, ["team"]))

    assert (found.state, found.todo) == ("ok", "")
    assert "create/get/list/watch/patch/delete jobs" in found.text
    assert found.text.endswith("in all namespaces; get namespaces kube-system")
