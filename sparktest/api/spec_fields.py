"""Fields of a spec that have a form of their own: pods as in Kubernetes, and git."""

import re
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
import msgspec
from marshmallow import fields
from marshmallow.validate import Length

from sparktest.api.fields import Bool, JsonKeySchema, Pattern, camel, text
from sparktest.errors import FieldError
from sparktest.kube.git import git_errors
from sparktest.kube.pod_template import normalize_template
from sparktest.kube.template_checks import template_errors

MAX_TEMPLATE_BYTES = 256 * 1024
QUANTITY = re.compile(
    r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?$"
)


class Quantity(fields.String):
    """A Kubernetes quantity: a text such as 64Mi, or a plain number."""

    def __init__(self, **kw: Any) -> None:
        rule = Pattern(QUANTITY, error="must be a quantity such as 500m or 64Mi")
        super().__init__(validate=[Length(max=64), rule], **kw)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        return super()._deserialize(value, attr, data, **kw)


class SourceRef(JsonKeySchema):
    """Reference to the Secret or ConfigMap of an `envFrom` entry."""

    name = text(253, 1, required=True)
    optional = Bool()


class EnvFrom(JsonKeySchema):
    """An entry of `envFrom`, as in Kubernetes."""

    prefix = text(253)
    secret_ref = fields.Nested(SourceRef)
    config_map_ref = fields.Nested(SourceRef)

    @ma.validates_schema
    def one_source(self, data: dict[str, Any], **kw: Any) -> None:
        """Require exactly one source."""
        if ("secret_ref" in data) == ("config_map_ref" in data):
            raise ma.ValidationError("must have one of secretRef and configMapRef")


class PullSecret(JsonKeySchema):
    """Reference to a Secret for pulling the image."""

    name = text(253, 1, required=True)


class Git(JsonKeySchema):
    """A git repository to clone into the working directory of the test."""

    url = text(2048, 1)
    ref = text(255, 1)
    path = text(4096, 1)
    secret_name = text(253, 1)

    @ma.validates_schema
    def can_be_cloned(self, data: dict[str, Any], **kw: Any) -> None:
        """Refuse what git must not be given; an empty object is no repository."""
        if not data:
            return
        errors = git_errors({camel(name): value for name, value in data.items()})
        if errors:
            found = {each["pointer"].lstrip("/"): [each["detail"]] for each in errors}
            raise ma.ValidationError(found)


class Template(fields.Dict):
    """A partial PodTemplateSpec, normalized; Kubernetes checks the fields of the pod."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ma.ValidationError("must be an object")
        template = normalize_template(value)
        errors = template_errors(template)
        if errors:
            raise ma.ValidationError(_message_tree(errors))
        size = len(msgspec.json.encode(template))
        if size > MAX_TEMPLATE_BYTES:
            raise ma.ValidationError(
                f"has {size:,} bytes as JSON; a template may have at most {MAX_TEMPLATE_BYTES:,}"
            )
        return template


def _message_tree(errors: list[FieldError]) -> dict[str | None, Any]:
    """Return the errors as a tree of messages, with those of a node itself under None.

    No JSON key is None, while marshmallow's own `_schema` could be a key of the template.
    """
    tree: dict[str | None, Any] = {}
    for error in errors:
        node = tree
        for part in error["pointer"].split("/")[1:]:
            node = node.setdefault(part.replace("~1", "/").replace("~0", "~"), {})
        node.setdefault(None, []).append(error["detail"])
    return tree


class Resources(JsonKeySchema):
    """Resource requests and limits, as in Kubernetes."""

    requests = fields.Dict(keys=text(253, 1), values=Quantity())
    limits = fields.Dict(keys=text(253, 1), values=Quantity())
