"""Schema validation errors, with the reasons and messages of the Kubernetes API. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jsonschema_rs

from sparktest.devcluster.api_errors import Cause, cause


def error_causes(error: jsonschema_rs.ValidationError) -> Iterator[Cause]:
    """Yield the causes that stand for one error of the validator."""
    kind: Any = error.kind  # each kind of error has fields of its own
    path = field_path(error.instance_path)
    if kind.name == "required":
        name = f"{path}.{kind.property}" if path else str(kind.property)
        yield cause("Required", name, "Required value")
    elif kind.name in ("oneOf", "anyOf"):
        yield from _alternatives(error, path)
    elif kind.name in SHORT:
        reason, short = SHORT[kind.name]
        yield cause(reason, path, short(error.instance, kind))
    else:
        reason, shown = "Invalid", _shown(error.instance, kind.name)
        if kind.name == "type":
            reason, shown = "TypeInvalid", f'"{json_type(error.instance)}"'
        text = RULES.get(kind.name, lambda _: error.message)(kind)
        if kind.name == "type":
            text = f"{text}: {shown}"
        yield cause(reason, path, f"Invalid value: {shown}: {path} in body {text}")


def _alternatives(error: jsonschema_rs.ValidationError, path: str) -> Iterator[Cause]:
    kind: Any = error.kind
    valid = sum(not branch for branch in kind.context)
    found = f"Found {valid} valid alternatives" if valid else "Found none valid"
    which = "one and only one schema" if kind.name == "oneOf" else "at least one schema"
    text = f'"{path}" must validate {which} ({kind.name}). {found}'
    yield cause("Invalid", "<nil>", f'Invalid value: "": {text}')
    if not valid and kind.context:
        for nested in kind.context[0]:
            yield from error_causes(nested)


def builtin_messages(causes: Iterable[Cause]) -> list[Cause]:
    """Return the causes with the messages of the built-in kinds.

    A real API server checks those in Go code and not by a schema, and words the messages so.
    """
    return [
        {
            **each,
            "message": each["message"].replace(f"{each['field']} in body should be", "must be"),
        }
        for each in causes
    ]


def field_path(path: Sequence[str | int]) -> str:
    """Return a path of names and indexes as text: `spec.envFrom[0].secretRef`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def json_type(value: Any) -> str:
    """Return the JSON Schema type of a value."""
    for python, name in TYPES:
        if isinstance(value, python):
            return name
    return "null"


TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def _shown(value: Any, rule: str) -> str:
    if rule in ("minItems", "minProperties", "uniqueItems"):
        return str(len(value))
    if isinstance(value, dict | list):
        return f'"{json_type(value)}"'
    return json.dumps(value, ensure_ascii=False)


Text = Callable[[Any], str]
RULES: dict[str, Text] = {
    "type": lambda kind: f"must be of type {kind.types[0]}",
    "minimum": lambda kind: f"should be greater than or equal to {kind.limit}",
    "maximum": lambda kind: f"should be less than or equal to {kind.limit}",
    "exclusiveMinimum": lambda kind: f"should be greater than {kind.limit}",
    "exclusiveMaximum": lambda kind: f"should be less than {kind.limit}",
    "multipleOf": lambda kind: f"should be a multiple of {kind.multiple_of}",
    "minLength": lambda kind: f"should be at least {kind.limit} chars long",
    "pattern": lambda kind: f"should match '{kind.pattern}'",
    "minItems": lambda kind: f"should have at least {kind.limit} items",
    "minProperties": lambda kind: f"should have at least {kind.limit} properties",
    "format": lambda kind: f"must be of type {kind.format}",
}
SHORT: dict[str, tuple[str, Callable[[Any, Any], str]]] = {
    "maxLength": ("TooLong", lambda _, kind: f"Too long: may not be more than {kind.limit} bytes"),
    "maxItems": (
        "TooMany",
        lambda value, kind: f"Too many: {len(value)}: must have at most {kind.limit} items",
    ),
    "maxProperties": (
        "TooMany",
        lambda value, kind: f"Too many: {len(value)}: must have at most {kind.limit} items",
    ),
    "enum": (
        "NotSupported",
        lambda value, kind: (
            f"Unsupported value: {json.dumps(value)}: supported values: "
            + ", ".join(json.dumps(option) for option in kind.options)
        ),
    ),
}
