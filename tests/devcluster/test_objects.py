"""Metadata: validation, names, and when an object can be removed."""

from typing import Any

import pytest

from sparktest.devcluster.objects import (
    drop_finalizer,
    generate_name,
    is_true,
    metadata_causes,
    ordered_metadata,
    released,
)


@pytest.mark.parametrize(
    ("meta", "field"),
    [
        ({}, "metadata.name"),
        ({"name": "A"}, "metadata.name"),
        ({"name": "a" * 254}, "metadata.name"),
        ({"name": "a", "labels": {"a b": "c"}}, "metadata.labels"),
        ({"name": "a", "labels": {"a": "b" * 64}}, "metadata.labels"),
        ({"name": "a", "annotations": {"/": "c"}}, "metadata.annotations"),
        ({"name": "a", "ownerReferences": [{"uid": "u"}]}, "metadata.ownerReferences[0].name"),
    ],
)
def test_an_invalid_field_of_the_metadata_is_named(meta: Any, field: str) -> None:
    assert field in [cause["field"] for cause in metadata_causes(meta)]


def test_only_some_names_may_have_dots() -> None:
    assert metadata_causes({"name": "a.b"}) == []
    assert metadata_causes({"name": "a.b"}, label_name=True) != []


def test_empty_and_unsupported_fields_are_dropped() -> None:
    meta = {"name": "a", "labels": {}, "finalizers": [], "managedFields": [{}], "selfLink": "x"}
    assert ordered_metadata(meta) == {"name": "a"}


def test_a_generated_name_fits_a_label() -> None:
    assert len(generate_name("a" * 100)) == 63
    assert generate_name("a-").startswith("a-")


def test_an_object_is_released_when_nothing_delays_its_removal() -> None:
    obj: dict[str, Any] = {"kind": "Pod", "metadata": {"finalizers": ["a"]}}
    assert not released(obj)
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not released(obj)
    drop_finalizer(obj, "a")
    assert released(obj)
    obj["metadata"]["deletionGracePeriodSeconds"] = 1
    assert not released(obj)


def test_a_condition_is_true_only_with_the_status_true() -> None:
    obj = {"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B"}]}}
    assert [is_true(obj, kind) for kind in "ABC"] == [True, False, False]
