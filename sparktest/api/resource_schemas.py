"""Schemas of objects with a unique name: definitions, executors, suites."""

from typing import Any

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, OneOf

from sparktest.api import fields as api_fields
from sparktest.api.schemas import ContainerSchema, SpecSchema
from sparktest.domain_suites import MAX_SUITE_LENGTH, ExecutionMode


class ResourceSchema(api_fields.Schema):
    """An object with a unique name."""

    name = api_fields.name(required=True)
    description = api_fields.text(10_000, load_default="")
    # Known, so that an object can be sent back as it was received, without a warning.
    id = api_fields.Id(dump_only=True)
    created_at = api_fields.Time(dump_only=True)
    version = fields.Integer(dump_only=True)


class DefinitionInputSchema(ResourceSchema, SpecSchema):
    """A definition to create or to replace."""

    executor_id = api_fields.Id()
    labels = api_fields.texts(200, 64)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def something_to_run(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """Require an image, unless an executor or the template provides one."""
        if not any(original.get(name) for name in ("image", "executorId", "template")):
            raise ma.ValidationError(
                "is required unless executorId or the template provides one", "image"
            )


class ExecutorInputSchema(ResourceSchema, ContainerSchema):
    """An executor to create or to replace."""

    default_command = fields.String(
        validate=api_fields.fits_an_argument,
        metadata={"description": "A shell command; it is used where `command` is empty."},
    )
    supported_file_types = api_fields.texts(200, 64)
    environment_variables = api_fields.texts(200, 1000)
    icon = api_fields.text(10_000)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def something_to_run(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """Require an image, unless the template provides one."""
        if not (original.get("image") or original.get("template")):
            raise ma.ValidationError("is required unless the template provides one", "image")


class SuiteInputSchema(ResourceSchema):
    """A suite to create or to replace."""

    execution_mode = fields.String(validate=OneOf(list(ExecutionMode)))
    stop_on_failure = api_fields.Bool(
        metadata={"description": "Cancel the rest when a run of a sequential suite fails."}
    )
    labels = api_fields.texts(200, 64)
    test_definition_ids = fields.List(
        api_fields.Id(),
        validate=Length(max=MAX_SUITE_LENGTH),
        metadata={"description": "In the order of execution; an id may occur several times."},
    )
