"""Pod templates: merging by key, and which container runs the test."""

from typing import Any

import pytest
from hypothesis import given

from sparktest.kube.pod_template import (
    DEFAULT_CONTAINER,
    container_names,
    merge_templates,
    normalize_template,
    test_container,
)
from tests.kube.template_layers import TEMPLATES, leaves


def spec(*containers: str, **fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name} for name in containers], **fields}}


def test_containers_merge_by_name_and_new_ones_come_last() -> None:
    parent = {"spec": {"containers": [{"name": "test", "image": "a"}, {"name": "db"}]}}
    child = {"spec": {"containers": [{"name": "log"}, {"name": "test", "tty": True}]}}
    merged = merge_templates(parent, child)["spec"]["containers"]
    assert merged == [{"name": "test", "image": "a", "tty": True}, {"name": "db"}, {"name": "log"}]


def test_a_variable_of_the_same_name_is_replaced_whole() -> None:
    parent = {"env": [{"name": "A", "value": "1"}]}
    child = {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]}
    assert merge_templates(parent, child) == child


def test_a_list_without_a_merge_key_is_replaced() -> None:
    assert merge_templates({"args": ["a", "b"]}, {"args": ["c"]}) == {"args": ["c"]}


def test_a_merge_does_not_change_its_arguments() -> None:
    parent = {"spec": {"volumes": [{"name": "a", "emptyDir": {}}]}}
    merge_templates(parent, {"spec": {"volumes": [{"name": "b", "emptyDir": {}}]}})
    assert parent == {"spec": {"volumes": [{"name": "a", "emptyDir": {}}]}}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ({}, "test"),
        (spec("only"), "only"),
        (spec("a", "test"), "test"),
        ({**spec("a", "b"), "metadata": {"annotations": {DEFAULT_CONTAINER: "b"}}}, "b"),
    ],
)
def test_the_container_of_the_test_is_named_or_the_only_one(
    template: dict[str, Any], name: str
) -> None:
    assert (test_container(template) or {})["name"] == name


def test_of_several_containers_none_is_guessed() -> None:
    assert test_container(spec("a", "b")) is None


def test_the_container_of_the_test_comes_first_in_the_names() -> None:
    template = spec("db", "test", initContainers=[{"name": "fixtures"}])
    assert container_names(template) == ("test", "fixtures", "db")


def test_what_a_job_controller_wrote_is_ignored() -> None:
    metadata = {"creationTimestamp": None, "labels": {"job-name": "a", "tier": "e2e"}}
    assert normalize_template({"metadata": metadata}) == {"metadata": {"labels": {"tier": "e2e"}}}


def test_of_two_variables_with_the_same_name_the_effective_one_is_replaced() -> None:
    parent = {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    merged = merge_templates(parent, {"env": [{"name": "A", "value": "3"}]})
    assert merged["env"][-1] == {"name": "A", "value": "3"}
    both = [{"name": "A", "value": "3"}, {"name": "A", "value": "4"}]
    assert merge_templates({"env": [{"name": "A", "value": "1"}]}, {"env": both})["env"] == both


TCP, UDP = {"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}


@pytest.mark.parametrize(
    ("parent", "child", "merged"),
    [
        ([], [TCP, UDP], [TCP, UDP]),
        ([TCP, UDP], [], [TCP, UDP]),
        ([TCP], [TCP, UDP], [TCP, UDP]),
        ([TCP, UDP], [{**TCP, "name": "dns"}], [{**TCP, "name": "dns"}, UDP]),
        ([TCP, UDP], [{**UDP, "name": "dns"}], [TCP, {**UDP, "name": "dns"}]),
        ([{**TCP, "name": "dns"}], [UDP], [{**UDP, "name": "dns"}]),
    ],
)
def test_ports_merge_by_number_and_both_protocols_of_one_layer_stay(
    parent: list[Any], child: list[Any], merged: list[Any]
) -> None:
    assert merge_templates({"ports": parent}, {"ports": child}) == {"ports": merged}


def test_a_selector_with_the_name_of_a_list_is_replaced() -> None:
    parent = {"spec": {"nodeSelector": {"env": "test", "ports": "1"}}}
    child = {"spec": {"nodeSelector": {"env": "prod"}}}
    assert merge_templates(parent, child)["spec"]["nodeSelector"] == {"env": "prod", "ports": "1"}


def test_the_deprecated_name_of_the_service_account_is_replaced() -> None:
    def account(**spec: str) -> Any:
        return normalize_template({"spec": spec})["spec"]

    assert account(serviceAccount="a") == {"serviceAccountName": "a"}
    assert account(serviceAccount="a", serviceAccountName="b") == {"serviceAccountName": "b"}


def test_malformed_metadata_is_kept_for_the_check() -> None:
    assert normalize_template({"metadata": []}) == {"metadata": []}


@given(executor=TEMPLATES, definition=TEMPLATES, run=TEMPLATES)
def test_it_does_not_matter_which_layers_are_merged_first(
    executor: dict[str, Any], definition: dict[str, Any], run: dict[str, Any]
) -> None:
    from_below = merge_templates(merge_templates(executor, definition), run)
    assert from_below == merge_templates(executor, merge_templates(definition, run))


@given(parent=TEMPLATES, child=TEMPLATES)
def test_a_merge_has_everything_of_the_child_and_what_it_leaves_of_the_parent(
    parent: dict[str, Any], child: dict[str, Any]
) -> None:
    merged = merge_templates(parent, child)
    assert dict(leaves(merged)) == dict(leaves(parent)) | dict(leaves(child))
    assert merge_templates(merged, child) == merged
    assert merge_templates({}, child) == merge_templates(child, {}) == child
