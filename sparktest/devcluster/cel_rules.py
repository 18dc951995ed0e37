"""Validation rules in CEL (x-kubernetes-validations), for objects and for their changes."""

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
    """One rule: an expression on `self`, and on `oldSelf` where it is about a change.

    Raises:
        ValueError: the expression cannot be compiled.
    """

    def __init__(self, document: Tree) -> None:
        self.text = str(document.get("rule", ""))
        self.program = _compiled(self.text)
        self.on_change = "oldSelf" in self.text
        self.reason = str(document.get("reason", "FieldValueInvalid")).removeprefix("FieldValue")
        self.field = str(document.get("fieldPath", ""))
        self.message = str(document.get("message", "")).strip()
        expression = document.get("messageExpression")
        self.explain = _compiled(expression) if expression else None

    def cause(self, value: Any, old: Any, path: str) -> Cause | None:
        """What is wrong, or None; a rule that fails to evaluate is broken too."""
        data = {"self": value} if old is ABSENT else {"self": value, "oldSelf": old}
        verdict = self.program.eval(data=data).value()
        if verdict is True:
            return None
        text = self.message or f"failed rule: {self.text}"
        if self.explain:
            explained = self.explain.eval(data=data).value()
            text = explained if isinstance(explained, str) else text
        if not isinstance(verdict, bool):
            text = f"rule {self.text!r} could not be evaluated: {verdict}"
        field = f"{path}{self.field}".removeprefix(".")
        return cause(self.reason, field, _message(self.reason, value, text))


def _compiled(expression: str) -> Any:
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
    def of(cls, schema: Tree) -> Self:
        """The tree of a schema.

        Raises:
            ValueError: a rule cannot be compiled.
        """
        below = {name: cls.of(part) for name, part in (schema.get("properties") or {}).items()}
        tree = cls(
            [Rule(rule) for rule in schema.get("x-kubernetes-validations") or ()],
            {name: part for name, part in below.items() if part},
        )
        for place, key in (("extra", "additionalProperties"), ("items", "items")):
            part = schema.get(key)
            setattr(tree, place, (cls.of(part) if isinstance(part, dict) else None) or None)
        if schema.get("x-kubernetes-list-type") == "map":
            tree.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        return tree

    def __bool__(self) -> bool:
        return bool(self.rules or self.properties or self.extra or self.items)

    def causes(self, value: Any, old: Any) -> list[Cause]:
        """Every rule that the value breaks; `old` None means it is new."""
        return list(_walk(self, value, ABSENT if old is None else old, ""))

    def parts(self, value: Any, old: Any) -> Iterator[tuple["RuleTree", Any, Any, str]]:
        """What is inside of a value and has rules: their tree, it, what it was, where it is."""
        if isinstance(value, dict):
            for name, part in value.items():
                if tree := self.properties.get(name) or self.extra:
                    before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
                    yield tree, part, before, f".{name}"
        elif isinstance(value, list) and self.items:
            for index, item in enumerate(value):
                yield self.items, item, self.twin(item, old), f"[{index}]"

    def twin(self, item: Any, old: Any) -> Any:
        """What an item of a list was before: known only where the list has keys."""
        if not self.keys or not isinstance(old, list):
            return ABSENT
        wanted = [item.get(key) for key in self.keys]
        same = (known for known in old if [known.get(key) for key in self.keys] == wanted)
        return next(same, ABSENT)


def _walk(tree: RuleTree, value: Any, old: Any, path: str) -> Iterator[Cause]:
    for rule in tree.rules:
        if rule.on_change and old is ABSENT:
            continue
        found = rule.cause(value, old if rule.on_change else ABSENT, path)
        if found:
            yield found
    for below, part, before, step in tree.parts(value, old):
        yield from _walk(below, part, before, path + step)
