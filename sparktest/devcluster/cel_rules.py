"""Validation rules in CEL (x-kubernetes-validations)."""

from collections.abc import Iterator
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from sparktest.devcluster.api_errors import Cause, cause
from sparktest.devcluster.validation_errors import json_type

Tree = dict[str, Any]
ENVIRONMENT = cel.NewEnv(
    variables={"self": cel.Type.DYN, "oldSelf": cel.Type.DYN},
    extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
)


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
        data = {"self": value, "oldSelf": old} if self.is_transition else {"self": value}
        result = self.program.eval(data=data).value()
        if result is True:
            return None
        text = self.message or f"failed rule: {self.text}"
        if self.message_program:
            evaluated = self.message_program.eval(data=data).value()
            text = evaluated if isinstance(evaluated, str) else text
        if not isinstance(result, bool):
            text = f"rule {self.text!r} could not be evaluated: {result}"
        # As in Kubernetes, never the value itself: it may be a secret.
        shown = f'"{json_type(value)}"'
        lead = {
            "Forbidden": "Forbidden",
            "Required": "Required value",
            "Duplicate": f"Duplicate value: {shown}",
        }.get(self.reason, f"Invalid value: {shown}")
        return cause(self.reason, f"{path}{self.field}".removeprefix("."), f"{lead}: {text}")


def _compile(expression: str) -> Any:
    try:
        return ENVIRONMENT.compile(expression)
    except RuntimeError as error:
        raise ValueError(f"rule {expression!r}: {error}") from error


class RuleTree:
    """The rules of a schema and of the schemas below it; false if there are none.

    Raises:
        ValueError: a rule does not compile.
    """

    def __init__(self, schema: Tree) -> None:
        self.rules = [Rule(rule) for rule in schema.get("x-kubernetes-validations") or ()]
        properties = {name: RuleTree(part) for name, part in schema.get("properties", {}).items()}
        self.properties = {name: tree for name, tree in properties.items() if tree}
        extra, items = schema.get("additionalProperties"), schema.get("items")
        self.extra = RuleTree(extra) if isinstance(extra, dict) else None
        self.items = RuleTree(items) if isinstance(items, dict) else None
        is_map = schema.get("x-kubernetes-list-type") == "map"
        self.keys: list[str] = schema.get("x-kubernetes-list-map-keys", []) if is_map else []

    def __bool__(self) -> bool:
        return bool(self.rules or self.properties or self.extra or self.items)

    def causes(self, value: Any, old: Any, path: str = "") -> Iterator[Cause]:
        """Yield the errors of a value; `old` is None without an earlier value."""
        for rule in self.rules:
            if old is None and rule.is_transition:
                continue
            found = rule.cause(value, old, path)
            if found:
                yield found
        for tree, part, before, step in self._parts(value, old):
            yield from tree.causes(part, before, path + step)

    def _parts(self, value: Any, old: Any) -> Iterator[tuple["RuleTree", Any, Any, str]]:
        """Yield the parts of a value that have rules: tree, part, old part, path."""
        if isinstance(value, dict):
            for name, part in value.items():
                if tree := self.properties.get(name) or self.extra:
                    yield tree, part, old.get(name) if isinstance(old, dict) else None, f".{name}"
        elif isinstance(value, list) and self.items:
            for index, item in enumerate(value):
                yield self.items, item, self._old_item(item, old), f"[{index}]"

    def _old_item(self, item: Any, old: Any) -> Any:
        """Return the old item with the same keys; None unless the list is a map list."""
        if not self.keys or not isinstance(old, list):
            return None
        wanted = [item.get(key) for key in self.keys]
        return next((each for each in old if [each.get(key) for key in self.keys] == wanted), None)
