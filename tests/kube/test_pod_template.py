"""Pod templates: merging by key, what is refused, and which container runs the test."""

from typing import Any

import pytest

from sparktest.kube.pod_template import (
    DEFAULT_CONTAINER,
    container_names,
    merge_templates,
    normalize_template,
    template_errors,
    test_container,
)


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


@pytest.mark.parametrize(
    ("template", "pointer"),
    [
        ({"kind": "Pod"}, "/kind"),
        ({"metadata": {"name": "a"}}, "/metadata/name"),
        ({"spec": []}, "/spec"),
        ({"spec": {"nodeName": None}}, "/spec/nodeName"),
        ({"spec": {"containers": [{"$patch": "delete"}]}}, "/spec/containers/0/$patch"),
        ({"spec": {"initContainers": [{"name": "sparktest-git"}]}}, "/spec/initContainers/0/name"),
        ({"spec": {"volumes": [{"name": "a"}, {"name": "sparktest-x"}]}}, "/spec/volumes/1/name"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    template: dict[str, Any], pointer: str
) -> None:
    assert [error["pointer"] for error in template_errors(template)] == [pointer]
