"""Schema validation errors, with the messages of the Kubernetes API."""

from typing import Any

import pytest

from sparktest.devcluster.schemas import Schema
from sparktest.devcluster.validation_errors import builtin_messages, field_path


def schema(**properties: Any) -> Schema:
    return Schema({"type": "object", "properties": {"spec": {"type": "object", **properties}}})


def messages(compiled: Schema, spec: Any) -> list[str]:
    return [f"{c['field']}: {c['message']}" for c in compiled.causes({"spec": spec}, None)]


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


def test_what_must_not_hold_is_worded_as_kubernetes_does() -> None:
    compiled = schema(**{"not": {"required": ["a"]}}, properties={})
    expected = '<nil>: Invalid value: "": "spec" must not validate the schema (not)'
    assert messages(compiled, {"a": 1}) == [expected]
    assert messages(compiled, {}) == []


def test_built_in_kinds_word_limits_differently() -> None:
    compiled = schema(properties={"n": {"type": "integer", "minimum": 1}})
    (found,) = builtin_messages(compiled.causes({"spec": {"n": 0}}, None))
    assert found["message"] == "Invalid value: 0: must be greater than or equal to 1"


def test_a_path_of_names_and_indexes_is_text() -> None:
    assert field_path(["spec", "envFrom", 0, "secretRef"]) == "spec.envFrom[0].secretRef"
