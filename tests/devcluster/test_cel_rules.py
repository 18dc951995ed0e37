"""Validation rules in CEL."""

from typing import Any

from sparktest.devcluster.cel_rules import RuleTree

STRING = {"type": "string"}


def rules_of(**schema: Any) -> RuleTree:
    return RuleTree({"type": "object", **schema})


def messages(tree: RuleTree, value: Any, old: Any = None) -> list[str]:
    return [f"{c['field']}: {c['message']}" for c in tree.causes(value, old)]


def test_cel_rules_see_the_object_and_the_old_object() -> None:
    rules = [
        {"rule": "self.n < 10", "message": "n is small"},
        {"rule": "self.n >= oldSelf.n", "message": "n only grows"},
    ]
    tree = rules_of(properties={"n": {"type": "integer"}}, **{"x-kubernetes-validations": rules})
    assert messages(tree, {"n": 10}) == [': Invalid value: "object": n is small']
    assert messages(tree, {"n": 1}) == []
    assert messages(tree, {"n": 1}, {"n": 2}) == [': Invalid value: "object": n only grows']


def test_a_cel_rule_can_set_field_path_and_message() -> None:
    rule = {
        "rule": "self.a.startsWith('x')",
        "fieldPath": ".a",
        "messageExpression": "'not ' + self.a",
        "reason": "FieldValueForbidden",
    }
    tree = rules_of(properties={"a": STRING}, **{"x-kubernetes-validations": [rule]})
    assert messages(tree, {"a": "y"}) == ["a: Forbidden: not y"]


def test_items_of_a_map_list_are_compared_with_the_old_items() -> None:
    item = {
        "type": "object",
        "properties": {"k": STRING, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v == oldSelf.v", "message": "fixed"}],
    }
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    tree = rules_of(properties={"l": {"type": "array", "items": item, **keyed}})
    old = {"l": [{"k": "a", "v": 1}, {"k": "b", "v": 2}]}
    assert messages(tree, {"l": [{"k": "b", "v": 2}, {"k": "c", "v": 9}]}, old) == []
    assert messages(tree, {"l": [{"k": "b", "v": 3}]}, old)[0].startswith("l[0]: ")


def test_a_rule_that_cannot_be_evaluated_fails_with_a_message() -> None:
    tree = rules_of(**{"x-kubernetes-validations": [{"rule": "self.missing == 1"}]})
    assert "could not be evaluated" in messages(tree, {"a": 1})[0]


def test_the_value_itself_is_not_shown() -> None:
    rule = {"rule": "!self.contains('@')", "message": "no password"}
    tree = RuleTree({"properties": {"url": {"type": "string", "x-kubernetes-validations": [rule]}}})
    assert messages(tree, {"url": "me:hunter2@x"}) == ['url: Invalid value: "string": no password']
