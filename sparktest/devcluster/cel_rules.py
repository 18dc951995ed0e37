"""Validation rules in CEL (x-kubernetes-validations)."""

import json
from collections.abc import Iterator
from typing import Any, Self

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from sparktest.devcluster.api_errors import Cause, cause

Tree = dict[str, Any]
ENVIRONMENT = cel.NewEnv(
    variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
    extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
)
ABSENT = object()


class Rule:
    """One rule: an expression on `self`; a transition rule uses `oldSelf` as well.

    Raises:
        ValueError: the expression does not compile.
    """

    def __init__(self, document: Tree) -> None:
        self.text = str(document.get("rule", ""))
        self.program = _compile(self.text)
        self.is_transition = "oldSelf" in self.text
        self.reason = str(document.get("reason", "FieldValueInvalid")).removeprefix("FieldValue")
        self.field = str(document.get("fieldPath", ""))
        self.message = str(document.get("message", "")).strip()
        expression = document.get("messageExpression")
        self.message_program = _compile(expression) if expression else None

    def cause(self, value: Any, old: Any, path: str) -> Cause | None:
        """Return the error, or None if the rule holds; a rule that cannot be evaluated fails."""
        data = {"self": value} if old is ABSENT else {"self": value, "oldSelf": old}
        result = self.program.eval(data=data).value()
        if result is True:
            return None
        text = self.message or f"failed rule: {self.text}"
        if self.message_program:
            evaluated = self.message_program.eval(data=data).value()
            text = evaluated if isinstance(evaluated, str) else text
        if not isinstance(result, bool):
            text = f"rule {self.text!r} could not be evaluated: {result}"
        field = f"{path}{self.field}".removeprefix(".")
        return cause(self.reason, field, _message(self.reason, value, text))


def _compile(expression: str) -> Any:
    try:
        return ENVIRONMENT.compile(expression)
    except RuntimeError as error:
        raise ValueError(f"rule {expression!r}: {error}") from error


def _message(reason: str, value: Any, text: str) -> str:
    if reason == "Forbidden":
        return f"Forbidden: {text}"
    if reason == "Required":
        return f"Required value: {text}"
    shown = json.dumps({dict: "object", list: "array"}.get(type(value), value))  # type: ignore[call-overload]
    lead = "Duplicate value" if reason == "Duplicate" else "Invalid value"
    return f"{lead}: {shown}: {text}"


class RuleTree:
    """The rules of a schema, without the branches that have none."""

    def __init__(self, rules: list[Rule], properties: dict[str, Self]) -> None:
        self.rules = rules
        self.properties = properties
        self.extra: Self | None = None
        self.items: Self | None = None
        self.keys: tuple[str, ...] = ()

    @classmethod
    def from_schema(cls, schema: Tree) -> Self:
        """Return the tree of a schema.

        Raises:
            ValueError: a rule does not compile.
        """
        below = {
            name: cls.from_schema(part) for name, part in (schema.get("properties") or {}).items()
        }
        tree = cls(
            [Rule(rule) for rule in schema.get("x-kubernetes-validations") or ()],
            {name: part for name, part in below.items() if part},
        )
        for attribute, key in (("extra", "additionalProperties"), ("items", "items")):
            part = schema.get(key)
            setattr(
                tree, attribute, (cls.from_schema(part) if isinstance(part, dict) else None) or None
            )
        if schema.get("x-kubernetes-list-type") == "map":
            tree.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        return tree

    def __bool__(self) -> bool:
        return bool(self.rules or self.properties or self.extra or self.items)

    def causes(self, value: Any, old: Any) -> list[Cause]:
        """Return the errors of a value; `old` is None for a new object."""
        return list(_walk(self, value, ABSENT if old is None else old, ""))

    def parts(self, value: Any, old: Any) -> Iterator[tuple["RuleTree", Any, Any, str]]:
        """Yield the parts of a value that have rules: tree, part, old part, path."""
        if isinstance(value, dict):
            for name, part in value.items():
                if tree := self.properties.get(name) or self.extra:
                    before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
                    yield tree, part, before, f".{name}"
        elif isinstance(value, list) and self.items:
            for index, item in enumerate(value):
                yield self.items, item, self.old_item(item, old), f"[{index}]"

    def old_item(self, item: Any, old: Any) -> Any:
        """Return the old item with the same keys; ABSENT unless the list is a map list."""
        if not self.keys or not isinstance(old, list):
            return ABSENT
        wanted = [item.get(key) for key in self.keys]
        same = (each for each in old if [each.get(key) for key in self.keys] == wanted)
        return next(same, ABSENT)


def _walk(tree: RuleTree, value: Any, old: Any, path: str) -> Iterator[Cause]:
    for rule in tree.rules:
        if rule.is_transition and old is ABSENT:
            continue
        found = rule.cause(value, old if rule.is_transition else ABSENT, path)
        if found:
            yield found
    for below, part, before, step in tree.parts(value, old):
        yield from _walk(below, part, before, path + step)
