import copy

import pytest
import yaml

from sparktest.cli.crd import manifest
from sparktest.cli.doctor.checks import (
    COLOURS,
    OK,
    PROBLEM,
    UNCHECKED,
    Check,
    Right,
    exit_code,
    granted_rights,
    same_crd,
)
from sparktest.cli.exits import Exit

CRD = yaml.safe_load(manifest("testrun.yaml"))


def test_the_first_problem_decides_the_exit_code() -> None:
    ok, unchecked = Check("a", OK, ""), Check("b", UNCHECKED, "")
    unreachable = Check("c", PROBLEM, "", code=Exit.UNREACHABLE)
    wrong = Check("d", PROBLEM, "")

    assert exit_code([ok, unchecked]) is Exit.PASSED
    assert exit_code([ok, unreachable, wrong]) is Exit.UNREACHABLE
    assert exit_code([unchecked, wrong, unreachable]) is Exit.INFRA
    assert set(COLOURS) == {OK, PROBLEM, UNCHECKED}


def test_crds_are_equal_whatever_the_cluster_adds_to_them() -> None:
    theirs = copy.deepcopy(CRD)
    theirs["metadata"]["uid"] = "17"
    theirs["status"] = {"storedVersions": ["v1alpha1"]}
    theirs["spec"]["conversion"] = {"strategy": "None"}

    assert same_crd(CRD, theirs)


@pytest.mark.parametrize("part", ["schema", "additionalPrinterColumns", "subresources", "name"])
def test_crds_with_another_schema_differ(part: str) -> None:
    theirs = copy.deepcopy(CRD)
    theirs["spec"]["versions"][0][part] = "other"

    assert not same_crd(CRD, theirs)


def test_the_rights_are_those_of_the_rules() -> None:
    rights = granted_rights(manifest("rbac.yaml"), "ClusterRole", "sparktest-controller")

    assert rights[0] == Right("get", "testruns", "sparktest.dev")
    assert [str(right) for right in rights if right.resource in ("pods/log", "namespaces")] == [
        "get pods/log",
        "get namespaces kube-system",
    ]
