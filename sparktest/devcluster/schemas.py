"""Structural schemas: pruning, defaulting and validation of objects."""

from base64 import b64decode
from copy import deepcopy
from typing import Any, cast

import jsonschema_rs

from sparktest.devcluster.api_errors import Cause, cause
from sparktest.devcluster.cel_rules import RuleTree
from sparktest.devcluster.validation_errors import error_causes


def is_base64(text: str) -> bool:
    """Return True if the text is base64."""
    try:
        b64decode(text, validate=True)
    except ValueError:
        return False
    return True


FORMATS = ("date-time", "date", "uuid", "ipv4", "ipv6", "uri", "email", "hostname", "byte")
BOUNDS = {"int32": 2**31, "int64": 2**63}
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
ROOT = ("apiVersion", "kind", "metadata")
TYPE_INVALID = "FieldValueTypeInvalid"
# After one of these errors a CEL rule could receive a value of an unexpected type.
BLOCKING = ("FieldValueRequired", TYPE_INVALID, "FieldValueTooLong", "FieldValueTooMany")
RULES_SKIPPED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
Tree = dict[str, Any]


class Schema:
    """A compiled schema.

    Raises:
        ValueError: the document is not a valid schema.
    """

    def __init__(self, document: Tree) -> None:
        self.document = document
        self._cel_rules = RuleTree(document)
        try:
            self._validator = jsonschema_rs.Draft4Validator(
                to_json_schema(document),
                pattern_options=jsonschema_rs.RegexOptions(),
                formats={"byte": is_base64},
            )
        except (ValueError, jsonschema_rs.ValidationError) as error:
            raise ValueError(str(error).splitlines()[0]) from error

    def prune(self, obj: Tree) -> list[str]:
        """Remove unknown fields from the object, and nulls of fields that are not nullable.

        Return the paths of the unknown fields.
        """
        unknown: list[str] = []
        _prune(obj, self.document, "", unknown)
        return unknown

    def default(self, obj: Tree) -> None:
        """Set absent fields to their defaults."""
        _default(obj, self.document)

    def causes(self, obj: Tree, old: Tree | None) -> list[Cause]:
        """Return the validation errors in a stable order; `old` is the current object, if any."""
        found = self._schema_causes(obj)
        found.sort(key=lambda each: each["field"] == "<nil>", reverse=True)
        if not self._cel_rules:
            return found
        if any(each["reason"] in BLOCKING for each in found):
            return [*found, cause("Invalid", "<nil>", RULES_SKIPPED)]
        return [*found, *self._cel_rules.causes(obj, old)]

    def type_errors(self, obj: Tree) -> list[Cause]:
        """Return the errors about types alone; a null counts as absent."""
        copy = deepcopy(obj)
        self.prune(copy)
        return [each for each in self._schema_causes(copy) if each["reason"] == TYPE_INVALID]

    def _schema_causes(self, obj: Tree) -> list[Cause]:
        return [each for error in self._validator.iter_errors(obj) for each in error_causes(error)]


def _prune(value: Any, schema: Tree, path: str, unknown: list[str]) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _prune(item, schema.get("items") or {}, f"{path}[{index}]", unknown)
    if not isinstance(value, dict):
        return
    for key in list(value):
        where = f"{path}.{key}" if path else key
        below = field_schema(schema, key)
        if below is None:
            del value[key]
            unknown.append(where)
        elif value[key] is None and below and not below.get("nullable"):
            del value[key]
        else:
            _prune(value[key], below, where, unknown)


def field_schema(schema: Tree, key: str) -> Tree | None:
    """Return the schema of a field: empty if any value is valid, None if the field is unknown."""
    properties = schema.get("properties") or {}
    if key in properties:
        return cast(Tree, properties[key])
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return extra
    embedded = schema.get("x-kubernetes-embedded-resource") and key in ROOT
    # An empty schema comes from inside a value that is preserved as it is.
    keep = extra is True or schema.get(PRESERVE) or embedded or not schema
    return {} if keep else None


def _default(value: Any, schema: Tree) -> None:
    if isinstance(value, list):
        for item in value:
            _default(item, schema.get("items") or {})
    if not isinstance(value, dict):
        return
    for key, below in (schema.get("properties") or {}).items():
        if key not in value and "default" in below:
            value[key] = deepcopy(below["default"])
    for key, part in value.items():
        _default(part, field_schema(schema, key) or {})


def to_json_schema(schema: Tree) -> Tree:
    """Return the JSON Schema (draft 4, as in Kubernetes) of a structural schema.

    Kubernetes' own keywords remain: a validator ignores them.
    """
    found = {key: value for key, value in schema.items() if key not in ("type", "format")}
    found |= _type_keywords(schema)
    properties = schema.get("properties", {}).items()
    found["properties"] = {name: to_json_schema(below) for name, below in properties}
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            found[key] = to_json_schema(schema[key])
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            found[key] = [to_json_schema(below) for below in schema[key]]
    return found


def _type_keywords(schema: Tree) -> Tree:
    """Return the keywords for the type of a schema, and for the limits of its format."""
    found: Tree = {}
    types = ["integer", "string"] if schema.get(INT_OR_STRING) else [schema.get("type")]
    if types != [None]:
        found["type"] = [*types, "null"] if schema.get("nullable") else types
    if schema.get("nullable") and "enum" in schema:
        found["enum"] = [*schema["enum"], None]
    kind = schema.get("format")
    if kind in BOUNDS:
        found["minimum"] = schema.get("minimum", -BOUNDS[kind])
        found["maximum"] = schema.get("maximum", BOUNDS[kind] - 1)
    elif kind in FORMATS:
        found["format"] = kind
    return found
