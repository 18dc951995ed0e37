"""Pod templates that cannot be used: each is refused with the field, whatever its shape."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.errors import InvalidError
from sparktest.kube.jobs import build_job
from sparktest.kube.pod_template import container_names, merge_templates, normalize_template
from sparktest.kube.template_checks import MAX_ERRORS, checked_template, template_errors
from tests.kube.test_jobs import a_run

NAMES = st.sampled_from(
    [
        *("metadata", "labels", "annotations", "spec", "os", "volumes", "imagePullSecrets"),
        *("serviceAccount", "containers", "initContainers", "securityContext", "capabilities"),
        *("name", "image", "args", "env", "envFrom", "resources", "ports", "containerPort"),
        "restartPolicy",
        "$patch",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "test", "a"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TEMPLATES = st.fixed_dictionaries({}, optional={"metadata": VALUES, "spec": VALUES})


def nested(levels: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return {"spec": value}


@pytest.mark.parametrize(
    ("template", "pointer"),
    [
        ({"kind": "Pod"}, "/kind"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": {"name": "a"}}, "/metadata/name"),
        ({"metadata": {"creationTimestamp": "2026"}}, "/metadata/creationTimestamp"),
        ({"metadata": {"labels": ["a"]}}, "/metadata/labels"),
        ({"spec": []}, "/spec"),
        ({"spec": None}, "/spec"),
        ({"spec": {"nodeName": None}}, "/spec/nodeName"),
        ({"spec": {"containers": {}}}, "/spec/containers"),
        ({"spec": {"containers": [5]}}, "/spec/containers/0"),
        ({"spec": {"initContainers": [{"image": "a"}]}}, "/spec/initContainers/0/name"),
        ({"spec": {"containers": [{"name": 5}]}}, "/spec/containers/0/name"),
        ({"spec": {"containers": [{"name": "a", "env": "A=1"}]}}, "/spec/containers/0/env"),
        ({"spec": {"containers": [{"name": "a", "envFrom": 1}]}}, "/spec/containers/0/envFrom"),
        ({"spec": {"volumes": "a"}}, "/spec/volumes"),
        ({"spec": {"volumes": [{"name": "a"}, {"name": "sparktest-x"}]}}, "/spec/volumes/1/name"),
        ({"spec": {"initContainers": [{"name": "sparktest-git"}]}}, "/spec/initContainers/0/name"),
        (
            {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}},
            "/spec/containers/0/$patch",
        ),
        (
            {"spec": {"containers": [{"name": "a", "securityContext": {"capabilities": []}}]}},
            "/spec/containers/0/securityContext/capabilities",
        ),
        (nested(40), ""),
        (nested(100_000), ""),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    template: dict[str, Any], pointer: str
) -> None:
    assert [error["pointer"] for error in template_errors(template)] == [pointer]


def test_the_error_names_every_field() -> None:
    template = {"spec": {"containers": [5, {"image": "a"}]}}
    with pytest.raises(InvalidError) as refused:
        checked_template(template)
    assert refused.value.detail == (
        "/template/spec/containers/0: must be an object; "
        "/template/spec/containers/1/name: must be a name: containers are merged by it"
    )


def test_a_nameless_container_with_a_restart_policy_is_refused_for_its_name() -> None:
    with pytest.raises(InvalidError, match="/template/spec/containers/0/name: must be a name"):
        checked_template({"spec": {"containers": [{"restartPolicy": "Always"}]}})


def test_the_number_of_errors_is_limited() -> None:
    assert len(template_errors({"spec": {"containers": [5] * 1000}})) == MAX_ERRORS


def test_several_containers_of_which_none_is_the_test_are_refused() -> None:
    with pytest.raises(InvalidError, match="default-container"):
        checked_template({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}})


@given(parent=TEMPLATES, child=TEMPLATES)
def test_no_template_makes_merging_or_building_raise_anything_else(
    parent: dict[str, Any], child: dict[str, Any]
) -> None:
    merged = merge_templates(normalize_template(parent), normalize_template(child))
    container_names(merged)
    before = json.dumps(merged)
    run = a_run(template=merged, env={"A": "1"}, image_pull_secrets=({"name": "pull"},))
    with suppress(InvalidError):
        build_job(run, restricted=True)
    assert json.dumps(merged) == before


def test_a_template_of_a_megabyte_is_merged_and_built_quickly() -> None:
    variables = [{"name": f"NAME_{number}", "value": "x" * 20} for number in range(20_000)]
    template = {"spec": {"containers": [{"name": "test", "env": variables}]}}
    merged = merge_templates(template, template)
    assert merged == template
    job = build_job(a_run(template=merged))
    assert job["spec"]["template"]["spec"]["containers"][0]["env"] == variables
