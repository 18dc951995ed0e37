"""Structural schemas: pruning, defaulting and validation messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.devcluster.schemas import Schema

STRING = {"type": "string"}


def schema(**properties: Any) -> Schema:
    return Schema({"type": "object", "properties": {"spec": {"type": "object", **properties}}})


def messages(compiled: Schema, spec: Any, old: Any = None) -> list[str]:
    before = None if old is None else {"spec": old}
    return [f"{c['field']}: {c['message']}" for c in compiled.causes({"spec": spec}, before)]


def test_an_unknown_field_is_removed_and_named() -> None:
    compiled = schema(properties={"list": {"type": "array", "items": {"type": "object"}}})
    obj = {"kind": "X", "metadata": {"lables": {}}, "spec": {"list": [{"b": 1}], "c": 1}, "d": 2}
    assert compiled.prune(obj) == ["metadata.lables", "spec.list[0].b", "spec.c", "d"]
    assert obj == {"kind": "X", "metadata": {}, "spec": {"list": [{}]}}


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


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        (
            {"type": "integer"},
            "5",
            'Invalid value: "string": spec.f in body must be of type integer',
        ),
        ({"type": "integer", "minimum": 1}, 0, "should be greater than or equal to 1"),
        ({"type": "integer", "format": "int32"}, 2**31, "should be less than or equal to"),
        ({"type": "string", "maxLength": 2}, "abc", "Too long: may not be more than 2 bytes"),
        ({"type": "string", "minLength": 1}, "", "should be at least 1 chars long"),
        ({"type": "string", "pattern": "^a$"}, "b", "should match '^a$'"),
        ({"enum": ["x", "y"]}, "z", 'Unsupported value: "z": supported values: "x", "y"'),
        ({"type": "array", "maxItems": 1}, [1, 2], "Too many: 2: must have at most 1 items"),
        ({"type": "array", "minItems": 1}, [], "Invalid value: 0: spec.f in body should have at"),
        ({"type": "string", "format": "date-time"}, "soon", "must be of type date-time"),
        ({"x-kubernetes-int-or-string": True}, 1.5, "must be of type"),
    ],
)
def test_a_message_names_field_value_and_rule(
    rule: dict[str, Any], value: Any, message: str
) -> None:
    found = messages(schema(properties={"f": rule}), {"f": value})
    assert len(found) == 1
    assert found[0].startswith("spec.f: ")
    assert message in found[0]


def test_a_missing_field_is_named() -> None:
    assert messages(schema(required=["f"]), {}) == ["spec.f: Required value"]


def test_one_of_reports_how_many_match_and_the_errors_of_the_first() -> None:
    compiled = schema(oneOf=[{"required": ["a"]}, {"required": ["b"]}], properties={})
    none, two = messages(compiled, {}), messages(compiled, {"a": 1, "b": 2})
    assert none[0].endswith(
        '"spec" must validate one and only one schema (oneOf). Found none valid'
    )
    assert none[1] == "spec.a: Required value"
    assert two[0].endswith("Found 2 valid alternatives")
    assert messages(compiled, {"a": 1}) == []


def test_cel_rules_see_the_object_and_the_old_object() -> None:
    rules = [
        {"rule": "self.n < 10", "message": "n is small"},
        {"rule": "self.n >= oldSelf.n", "message": "n only grows"},
    ]
    compiled = schema(properties={"n": {"type": "integer"}}, **{"x-kubernetes-validations": rules})
    assert messages(compiled, {"n": 10}) == ['spec: Invalid value: "object": n is small']
    assert messages(compiled, {"n": 1}) == []
    assert messages(compiled, {"n": 1}, {"n": 2}) == ['spec: Invalid value: "object": n only grows']


def test_a_cel_rule_can_set_field_path_and_message() -> None:
    rule = {
        "rule": "self.a.startsWith('x')",
        "fieldPath": ".a",
        "messageExpression": "'not ' + self.a",
        "reason": "FieldValueForbidden",
    }
    compiled = schema(properties={"a": STRING}, **{"x-kubernetes-validations": [rule]})
    assert messages(compiled, {"a": "y"}) == ["spec.a: Forbidden: not y"]


def test_items_of_a_map_list_are_compared_with_the_old_items() -> None:
    item = {
        "type": "object",
        "properties": {"k": STRING, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v == oldSelf.v", "message": "fixed"}],
    }
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    compiled = schema(properties={"l": {"type": "array", "items": item, **keyed}})
    old = {"l": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]}
    assert messages(compiled, {"l": [{"k": "b", "v": 2}, {"k": "c", "v": 9}]}, old) == []
    assert messages(compiled, {"l": [{"k": "b", "v": 3}]}, old)[0].startswith("spec.l[0]: ")


def test_a_rule_that_cannot_be_evaluated_fails_with_a_message() -> None:
    compiled = schema(**{"x-kubernetes-validations": [{"rule": "self.missing == 1"}]})
    assert "could not be evaluated" in messages(compiled, {"a": 1})[0]


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
