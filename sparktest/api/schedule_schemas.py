"""Schemas of requests about schedules."""

from collections.abc import Callable
from typing import Any

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import OneOf, Range

from sparktest.api import cron
from sparktest.api import fields as api_fields
from sparktest.api.resource_schemas import ResourceSchema
from sparktest.api.schemas import given
from sparktest.domain_schedules import Concurrency
from sparktest.errors import InvalidError

MAX_DUE_TIMES = 100


class ScheduleInputSchema(ResourceSchema):
    """A schedule to create or to replace."""

    definition_id = api_fields.Id()
    suite_id = api_fields.Id()
    cron = api_fields.text(
        200,
        required=True,
        metadata={"description": "Five fields, or a macro such as @daily.", "example": "0 2 * * *"},
    )
    time_zone = api_fields.text(64, metadata={"example": "Europe/Berlin"})
    concurrency = fields.String(validate=OneOf(list(Concurrency)))
    starting_deadline_seconds = api_fields.seconds(1)
    enabled = api_fields.Bool()
    next_run_at = api_fields.Time(dump_only=True)
    last_run_at = api_fields.Time(dump_only=True)
    last_run_id = api_fields.Id(dump_only=True)
    missed_runs = fields.Integer(dump_only=True)
    last_missed_at = api_fields.Time(dump_only=True)

    @ma.validates("cron")
    def can_be_parsed(self, value: str, data_key: str) -> None:
        """Refuse an expression that is wrong or never due."""
        _check(lambda: cron.Cron(value, "UTC"))

    @ma.validates("time_zone")
    def exists(self, value: str, data_key: str) -> None:
        """Refuse an unknown time zone."""
        _check(lambda: cron.zone(value))

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def one_target(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """Require a definition or a suite, not both."""
        if len({"definitionId", "suiteId"} & given(original)) != 1:
            raise ma.ValidationError("give either a definition or a suite", "definitionId")


class DueTimesQuerySchema(api_fields.Schema):
    """How many due times to return."""

    count = fields.Integer(load_default=5, validate=Range(1, MAX_DUE_TIMES))


def _check(parse: Callable[[], object]) -> None:
    try:
        parse()
    except InvalidError as error:
        raise ma.ValidationError(error.errors[0]["detail"]) from error
