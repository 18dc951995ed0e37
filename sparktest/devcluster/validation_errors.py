"""Schema validation errors, with the reasons and messages of the Kubernetes API. Pure."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema_rs

from sparktest.devcluster.api_errors import Cause, cause

# By keyword of the schema; {kind} is the kind of the error.
MESSAGES = {
    "type": "must be of type {kind.types[0]}: {shown}",
    "minimum": "should be greater than or equal to {kind.limit}",
    "maximum": "should be less than or equal to {kind.limit}",
    "exclusiveMinimum": "should be greater than {kind.limit}",
    "exclusiveMaximum": "should be less than {kind.limit}",
    "multipleOf": "should be a multiple of {kind.multiple_of}",
    "minLength": "should be at least {kind.limit} chars long",
    "pattern": "should match '{kind.pattern}'",
    "minItems": "should have at least {kind.limit} items",
    "minProperties": "should have at least {kind.limit} properties",
    "format": "must be of type {kind.format}",
}
JSON_TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


def error_causes(error: jsonschema_rs.ValidationError) -> Iterator[Cause]:
    """Yield the causes that stand for one error of the validator."""
    kind: Any = error.kind  # its fields depend on the kind of error
    path = field_path(error.instance_path)
    value: Any = error.instance
    if kind.name == "required":
        name = f"{path}.{kind.property}" if path else str(kind.property)
        yield cause("Required", name, "Required value")
    elif kind.name in ("oneOf", "anyOf"):
        yield from _alternatives(error, path)
    elif kind.name == "not":
        text = f'"{path}" must not validate the schema (not)'
        yield cause("Invalid", "<nil>", f'Invalid value: "": {text}')
    elif kind.name == "maxLength":
        yield cause("TooLong", path, f"Too long: may not be more than {kind.limit} bytes")
    elif kind.name in ("maxItems", "maxProperties"):
        text = f"Too many: {len(value)}: must have at most {kind.limit} items"
        yield cause("TooMany", path, text)
    elif kind.name == "enum":
        supported = ", ".join(json.dumps(option) for option in kind.options)
        text = f"Unsupported value: {json.dumps(value)}: supported values: {supported}"
        yield cause("NotSupported", path, text)
    else:
        shown = _shown(value, kind.name)
        text = MESSAGES.get(kind.name, "").format(kind=kind, shown=shown) or error.message
        reason = "TypeInvalid" if kind.name == "type" else "Invalid"
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


def builtin_messages(causes: list[Cause]) -> list[Cause]:
    """Return the causes with the messages of built-in kinds, which Kubernetes checks in Go code."""
    for found in causes:
        lead = f"{found['field']} in body should be"
        found["message"] = found["message"].replace(lead, "must be")
        if found["message"].endswith("must be at least 1 chars long"):
            found.update(cause("Required", found["field"], "Required value"))
    return causes


def field_path(path: Sequence[str | int]) -> str:
    """Return a path of names and indexes as text: `spec.envFrom[0].secretRef`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def json_type(value: Any) -> str:
    """Return the JSON Schema type of a decoded JSON value."""
    return JSON_TYPES[type(value)]


def _shown(value: Any, keyword: str) -> str:
    if keyword in ("minItems", "minProperties", "uniqueItems"):
        return str(len(value))
    if keyword == "type" or isinstance(value, dict | list):
        return f'"{json_type(value)}"'
    return json.dumps(value, ensure_ascii=False)
