"""The RBAC manifests, and the rights that they grant."""

from typing import Any

import pytest
import yaml

from sparktest.cli import rbac
from sparktest.cli.doctor.checks import Right, granted_rights


def objects(*args: Any) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(rbac.manifests(*args)))


def names(found: list[dict[str, Any]]) -> set[tuple[str, str | None, str]]:
    return {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in found
    }


def test_both_forms_grant_the_same_but_for_the_uid_of_the_cluster() -> None:
    for account in ("sparktest-controller", "sparktest-api"):
        everywhere = granted_rights(rbac.manifests(), "ClusterRole", account)
        some = granted_rights(rbac.manifests(["a"]), "Role", account)
        uid = Right("get", "namespaces", name="kube-system")
        extra = [uid] if account == "sparktest-controller" else []
        assert everywhere == some + extra


def test_without_namespaces_everything_is_cluster_wide() -> None:
    assert names(objects()) == {
        ("Namespace", None, "sparktest"),
        ("ServiceAccount", "sparktest", "sparktest-controller"),
        ("ServiceAccount", "sparktest", "sparktest-api"),
        ("ClusterRole", None, "sparktest-controller"),
        ("ClusterRoleBinding", None, "sparktest-controller"),
        ("ClusterRole", None, "sparktest-api"),
        ("ClusterRoleBinding", None, "sparktest-api"),
        ("Role", "sparktest", "sparktest-leader-election"),
        ("RoleBinding", "sparktest", "sparktest-leader-election"),
    }


@pytest.mark.parametrize("namespaces", [["a"], ["true", "0123"], ["team"]])
def test_with_namespaces_nothing_is_cluster_wide(namespaces: list[str]) -> None:
    found = objects(namespaces, "team")

    kinds = ("Role", "RoleBinding")
    accounts = ("sparktest-controller", "sparktest-api")
    assert names(found) == {
        *(("ServiceAccount", "team", account) for account in accounts),
        *((kind, "team", "sparktest-leader-election") for kind in kinds),
        *((kind, name, each) for name in namespaces for kind in kinds for each in accounts),
    }
    assert len(found) == len(names(found))


@pytest.mark.parametrize("namespaces", [[], ["a", "b"]])
def test_every_binding_is_of_an_account_and_a_role_in_the_manifests(namespaces: list[str]) -> None:
    found = objects(namespaces, "team")
    bindings = [each for each in found if each["kind"].endswith("Binding")]
    for binding in bindings:
        (subject,) = binding["subjects"]
        assert ("ServiceAccount", "team", subject["name"]) in names(found)
        assert subject["namespace"] == "team"
        namespace = binding["metadata"].get("namespace")
        role = binding["roleRef"]
        assert (role["kind"], namespace, role["name"]) in names(found)
    assert len(bindings) == 1 + 2 * (len(namespaces) or 1)


def test_the_namespace_of_another_controller_is_not_created() -> None:
    assert "Namespace" in {kind for kind, _, _ in names(objects(["a"]))}
    assert "Namespace" not in {kind for kind, _, _ in names(objects(["a"], "team"))}
