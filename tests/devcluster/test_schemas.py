"""Structural schemas: pruning, defaulting and validation messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.devcluster.kinds import METADATA_SCHEMA
from sparktest.devcluster.schemas import Schema

STRING = {"type": "string"}


def schema(**properties: Any) -> Schema:
    return Schema({"type": "object", "properties": {"spec": {"type": "object", **properties}}})


def messages(compiled: Schema, spec: Any, old: Any = None) -> list[str]:
    before = None if old is None else {"spec": old}
    return [f"{c['field']}: {c['message']}" for c in compiled.causes({"spec": spec}, before)]


def test_an_unknown_field_is_removed_and_named() -> None:
    compiled = schema(properties={"list": {"type": "array", "items": {"type": "object"}}})
    obj = {"spec": {"list": [{"b": 1}], "c": 1}, "d": 2}
    assert compiled.prune(obj) == ["spec.list[0].b", "spec.c", "d"]
    assert obj == {"spec": {"list": [{}]}}


@pytest.mark.parametrize(
    ("meta", "error"),
    [
        ({"name": "a", "labels": {"a": "b"}}, None),
        ({"name": 1}, "metadata.name in body must be of type string"),
        ({"labels": {"a": 1}}, "metadata.labels.a in body must be of type string"),
        ({"finalizers": ["a", 1]}, "metadata.finalizers[1] in body must be of type string"),
        ({"finalizers": None, "unknown": 1}, None),
        ({"ownerReferences": [{"name": "a"}]}, None),
        ("text", "metadata in body must be of type object"),
    ],
)
def test_a_field_of_the_metadata_with_the_wrong_type_is_named(meta: Any, error: str | None) -> None:
    found = [each["message"] for each in METADATA_SCHEMA.type_errors({"metadata": meta})]
    assert [error] == [text.split(": ")[2] for text in found] if error else found == []


def test_preserved_unknown_fields_are_kept_at_any_depth() -> None:
    keep = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    compiled = schema(properties={"any": keep})
    obj = {"spec": {"any": {"a": {"b": [{"c": None}]}}}}
    assert compiled.prune(obj) == []
    assert obj == {"spec": {"any": {"a": {"b": [{"c": None}]}}}}


def test_a_null_is_removed_unless_the_field_is_nullable() -> None:
    compiled = schema(properties={"a": STRING, "b": {**STRING, "nullable": True}})
    obj = {"spec": {"a": None, "b": None}}
    compiled.prune(obj)
    assert obj == {"spec": {"b": None}}
    assert compiled.causes(obj, None) == []


def test_defaults_apply_inside_defaults_and_lists_too() -> None:
    inner = {
        "type": "object",
        "default": {},
        "properties": {"n": {"type": "integer", "default": 3}},
    }
    compiled = schema(properties={"a": inner, "l": {"type": "array", "items": inner}})
    obj: dict[str, Any] = {"spec": {"l": [{}, {"n": 1}]}}
    compiled.default(obj)
    assert obj == {"spec": {"a": {"n": 3}, "l": [{"n": 3}, {"n": 1}]}}


def test_objects_do_not_share_a_default() -> None:
    compiled = schema(properties={"a": {"type": "object", "default": {}}})
    first: dict[str, Any] = {"spec": {}}
    second: dict[str, Any] = {"spec": {}}
    compiled.default(first)
    first["spec"]["a"]["x"] = 1
    compiled.default(second)
    assert second == {"spec": {"a": {}}}


def test_rules_are_skipped_for_values_of_the_wrong_type() -> None:
    rule = {"rule": "self.n < 10", "message": "n is small"}
    compiled = schema(properties={"n": {"type": "integer"}}, **{"x-kubernetes-validations": [rule]})
    found = messages(compiled, {"n": "x"})
    assert "must be of type integer" in found[0]
    assert "some validation rules were not checked" in found[1]


@pytest.mark.parametrize(
    "document",
    [
        {"type": "object", "x-kubernetes-validations": [{"rule": "self.a +"}]},
        {"type": "object", "x-kubernetes-validations": [{"rule": "nosuch(self)"}]},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
    ],
)
def test_an_invalid_schema_is_rejected(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Schema(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("abc", max_size=1), below),
    max_leaves=8,
)


@given(JSON)
def test_pruning_is_idempotent(value: Any) -> None:
    compiled = schema(
        properties={
            "a": {"type": "object", "additionalProperties": STRING},
            "b": {"type": "array", "items": {"type": "object", "properties": {"a": STRING}}},
        }
    )
    obj = {"spec": value}
    compiled.prune(obj)
    compiled.default(obj)
    assert compiled.prune(obj) == []
    compiled.causes(obj, obj)
