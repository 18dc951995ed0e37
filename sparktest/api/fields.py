"""The marshmallow fields of our schemas: camelCase, strict types, nothing that cannot be stored."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, Range, Regexp

MAX_SECONDS = 2**31 - 1
ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
DNS_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
QUANTITY = re.compile(r"^[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?$")


class Pattern(Regexp):
    """A rule for the whole text: in Python, `$` alone would let a newline at the end pass."""

    def __call__(self, value: Any) -> Any:
        """The text, if the whole of it matches."""
        if value.endswith("\n"):
            raise ma.ValidationError(self._format_error(value))
        return super().__call__(value)


def camel(name: str) -> str:
    """`timeout_seconds` as it is called on the wire: `timeoutSeconds`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


class Schema(ma.Schema):
    """A schema with camelCase names on the wire, in which null is the same as not given.

    `from_cluster`: whoever sends it hands on what a cluster said and cannot send anything else,
    so what no database can store is replaced, where others are refused.
    """

    replace_nul: ClassVar[bool] = False

    class Meta:
        """Nested schemas go by this; who reads the request says it for the outermost."""

        unknown = ma.EXCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name the field on the wire."""
        field_obj.data_key = camel(field_obj.data_key or field_name)

    @ma.pre_load
    def drop_nulls(self, data: Any, **kw: Any) -> Any:
        """The fields that are given."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}


class KubernetesSchema(Schema):
    """A part of a pod; loads into what Kubernetes calls it."""

    @ma.post_load
    def as_in_kubernetes(self, data: dict[str, Any], **kw: Any) -> dict[str, Any]:
        """The fields with their names on the wire."""
        return {self.fields[key].data_key or key: value for key, value in data.items()}


class StrictInteger(fields.Integer):
    """A whole number; in JSON a number, not a text that looks like one."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> Any:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kw)


class Id(fields.String):
    """A UUID with dashes; lower case after loading."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(validate=Pattern(UUID, error="must be a UUID"), **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> Any:
        return super()._deserialize(value, attr, data, **kw).lower()


class Quantity(fields.String):
    """An amount as Kubernetes writes it; a plain number is one too."""

    def __init__(self, **kw: Any) -> None:
        rule = Pattern(QUANTITY, error="must be a quantity such as 500m or 64Mi")
        super().__init__(validate=[Length(max=64), rule], **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        return super()._deserialize(value, attr, data, **kw)


class Time(fields.AwareDateTime):
    """A time with a zone, RFC 3339; in UTC after loading."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(format="iso", **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> datetime:
        try:
            return super()._deserialize(value, attr, data, **kw).astimezone(UTC)
        except OverflowError as error:
            # In UTC it would fall before the year 1 or after 9999.
            raise self.make_error("invalid", input=value, obj_type="datetime") from error


def text(longest: int, shortest: int = 0, **kw: Any) -> fields.String:
    """A text within a length."""
    return fields.String(validate=Length(shortest, longest), **kw)


def name(**kw: Any) -> fields.String:
    """What people call a thing: 1 to 200 characters."""
    return text(200, 1, **kw)


def dns_label(**kw: Any) -> fields.String:
    """A name as Kubernetes wants it for namespaces and containers."""
    rule = Pattern(DNS_LABEL, error="must be lower case letters, digits and '-', at most 63")
    return fields.String(validate=rule, **kw)


def dns_name(**kw: Any) -> fields.String:
    """A name as Kubernetes wants it for most objects."""
    rule = Pattern(DNS_NAME, error="must be lower case letters, digits, '-' and '.', at most 253")
    return fields.String(validate=rule, **kw)


def path_name(parameter: str) -> dict[str, Any]:
    """How the OpenAPI document says that a part of a path is such a name."""
    return {
        "name": parameter,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": DNS_LABEL.pattern},
    }


def texts(longest: int, most: int, **kw: Any) -> fields.List[str]:
    """A list of texts."""
    return fields.List(text(longest), validate=Length(max=most), **kw)


def commands(**kw: Any) -> fields.List[str]:
    """Commands, or the arguments of one."""
    return texts(65_536, 1000, **kw)


def seconds(shortest: int, **kw: Any) -> StrictInteger:
    """A duration that Kubernetes can count."""
    return StrictInteger(validate=Range(shortest, MAX_SECONDS), **kw)


def env(**kw: Any) -> fields.Dict:
    """Environment variables, name to value."""
    rule = Pattern(ENV_NAME, error="must be letters, digits and '_', not a digit first")
    return fields.Dict(
        keys=fields.String(validate=rule),
        values=text(131_072),
        validate=Length(max=1000),
        **kw,
    )


def labels(**kw: Any) -> fields.Dict:
    """Labels, key to value."""
    return fields.Dict(keys=text(253, 1), values=text(253), validate=Length(max=64), **kw)


def _object_name() -> fields.String:
    return text(253, 1, required=True)


class SourceRef(KubernetesSchema):
    """The Secret or ConfigMap that variables come from."""

    name = _object_name()
    optional = fields.Boolean(truthy={True}, falsy={False})


class EnvFrom(KubernetesSchema):
    """A Secret or ConfigMap whose entries become variables, as in Kubernetes."""

    prefix = text(253)
    secret_ref = fields.Nested(SourceRef)
    config_map_ref = fields.Nested(SourceRef)

    @ma.validates_schema
    def one_source(self, data: dict[str, Any], **kw: Any) -> None:
        """Exactly one of the two."""
        if ("secret_ref" in data) == ("config_map_ref" in data):
            raise ma.ValidationError("must have one of secretRef and configMapRef")


class PullSecret(KubernetesSchema):
    """A Secret to pull the image with."""

    name = _object_name()


class Resources(KubernetesSchema):
    """What the container asks for and may use at most, as in Kubernetes."""

    requests = fields.Dict(keys=text(253, 1), values=Quantity())
    limits = fields.Dict(keys=text(253, 1), values=Quantity())
