"""Marshmallow fields of the request schemas: camelCase keys, strict types, length limits."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, Range, Regexp

from sparktest.domain import MAX_NAME_LENGTH
from sparktest.kube.script import MAX_COMMAND_BYTES

UNKNOWN_PARAMETER = "unknown query parameter"
MAX_SECONDS = 2**31 - 1
MAX_COMMAND_LINE_BYTES = 1024 * 1024
UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")


class Pattern(Regexp):
    """Regular expression for the whole text: in Python, `$` also matches before a final newline."""

    def __call__(self, value: Any) -> Any:
        """Return the text if all of it matches."""
        if value.endswith("\n"):
            raise ma.ValidationError(self._format_error(value))
        return super().__call__(value)


# As every version of Kubernetes accepts them.
ENV_NAME = Pattern(
    r"^[-._A-Za-z][-._A-Za-z0-9]*$",
    error="must consist of letters, digits, '_', '-' and '.', and not begin with a digit",
)
COMMIT = Pattern(r"^[0-9a-f]{40}([0-9a-f]{24})?$", error="must be the id of a commit")
DNS_NAME = Pattern(
    r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
    error="must be lower case letters, digits, '-' and '.', at most 253",
)


def camel(name: str) -> str:
    """Return the camelCase form of a name: `timeoutSeconds` for `timeout_seconds`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Schema(ma.Schema):
    """Schema with camelCase keys, in which null is the same as not given.

    Attributes:
        replace_nul: replace the character NUL, which no database can store, instead of refusing
            it: the texts come from the cluster, and the sender cannot change them.
    """

    replace_nul: ClassVar[bool] = False
    # The parser accepts unknown fields of a body.
    error_messages: dict[str, str] = {"unknown": UNKNOWN_PARAMETER}  # noqa: RUF012 - as in ma.Schema

    class Meta:
        """Options of nested schemas; the parser sets those of the outermost."""

        unknown = ma.EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Set the JSON key of the field, and allow null unless it is required."""
        field_obj.data_key = camel(field_obj.data_key or field_name)
        # `drop_nulls` comes first: this is for the OpenAPI document.
        field_obj.allow_none = not field_obj.required

    @ma.pre_load
    def drop_nulls(self, data: Any, **kw: Any) -> Any:
        """Drop fields that are null."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}


class JsonKeySchema(Schema):
    """Schema whose loaded fields keep their JSON keys, to be stored or sent as they are."""

    @ma.post_load
    def keep_json_keys(self, data: dict[str, Any], **kw: Any) -> dict[str, Any]:
        """Return the fields under their JSON keys."""
        return {self.fields[key].data_key or key: value for key, value in data.items()}


class Id(fields.String):
    """A UUID with dashes, loaded in lower case."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(validate=Pattern(UUID, error="must be a UUID"), **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> Any:
        return super()._deserialize(value, attr, data, **kw).lower()


class Bool(fields.Boolean):
    """True or false in a JSON body; 0 and 1, which equal them in Python, are numbers there."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryInteger(fields.Integer):
    """A whole number in a query: decimal digits and nothing else."""

    def __init__(self, minimum: int, maximum: int, **kw: Any) -> None:
        super().__init__(validate=Range(minimum, maximum), **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> int:
        # int() also takes spaces, underscores and the digits of other scripts.
        if not re.fullmatch(r"-?[0-9]{1,20}", value):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kw)


class Time(fields.AwareDateTime):
    """An RFC 3339 time with a zone, loaded in UTC."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(format="iso", **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> datetime:
        try:
            return super()._deserialize(value, attr, data, **kw).astimezone(UTC)
        except OverflowError as error:
            # In UTC it would be before the year 1 or after 9999.
            raise self.make_error("invalid", input=value, obj_type="datetime") from error


def text(max_length: int, min_length: int = 0, **kw: Any) -> fields.String:
    """Return a field for a text of limited length."""
    return fields.String(validate=Length(min_length, max_length), **kw)


def name(**kw: Any) -> fields.String:
    """Return a field for a display name."""
    return text(MAX_NAME_LENGTH, 1, **kw)


def dns_label(**kw: Any) -> fields.String:
    """Return a field for an RFC 1123 label: the name of a namespace or container."""
    rule = Pattern(DNS_LABEL, error="must be lower case letters, digits and '-', at most 63")
    return fields.String(validate=rule, **kw)


def path_name(parameter: str) -> dict[str, Any]:
    """Return the OpenAPI parameter of a path segment that is an RFC 1123 label."""
    return {
        "name": parameter,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": DNS_LABEL.pattern},
    }


def texts(max_length: int, max_items: int, **kw: Any) -> fields.List[str]:
    """Return a field for a list of texts."""
    field = fields.List(text(max_length), validate=Length(max=max_items), **kw)
    field.error_messages["invalid"] = "must be a list of texts"
    return field


def arguments(**kw: Any) -> fields.List[str]:
    """Return a field for commands or arguments, of a size that Linux can start."""
    rules: list[Callable[[list[str]], Any]] = [Length(max=1024), _fits_a_command_line]
    return fields.List(fields.String(validate=fits_an_argument), validate=rules, **kw)


def size(value: str) -> int:
    """Return the number of bytes that the text has in a process."""
    return len(value.encode())


def fits_an_argument(value: str) -> None:
    """Refuse a text that Linux does not take as an argument."""
    if size(value) > MAX_COMMAND_BYTES:
        raise ma.ValidationError(
            f"has {size(value):,} bytes; Linux allows {MAX_COMMAND_BYTES:,} in one argument"
        )


def _fits_a_command_line(values: list[str]) -> None:
    total = sum(map(size, values))
    if total > MAX_COMMAND_LINE_BYTES:
        raise ma.ValidationError(
            f"have {total:,} bytes together; at most {MAX_COMMAND_LINE_BYTES:,} are allowed"
        )


def seconds(minimum: int, **kw: Any) -> fields.Integer:
    """Return a field for seconds, at most what Kubernetes accepts."""
    return fields.Integer(strict=True, validate=Range(minimum, MAX_SECONDS), **kw)
