"""The query of a list of runs."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, OneOf

from sparktest.api import fields as api_fields
from sparktest.api.parsing import QuerySchema
from sparktest.api.schemas import PageSchema
from sparktest.domain import FailureClass, Origin, Status
from sparktest.errors import InvalidError
from sparktest.label_selectors import parse_selector

# Values of one filter.
MAX_VALUES = 32
MAX_SELECTOR_LENGTH = 4096


class Selector(fields.String):
    """A label selector, loaded as its requirements."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kw: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kw)
        if not 0 < len(text) <= MAX_SELECTOR_LENGTH:
            raise ma.ValidationError(f"must have 1 to {MAX_SELECTOR_LENGTH} characters")
        try:
            return parse_selector(text)
        except InvalidError as error:
            raise ma.ValidationError(error.detail) from error


def _any_of(field: fields.Field[Any], **kw: Any) -> fields.List[Any]:
    """Return a field for a filter that may be given several times."""
    return fields.List(field, validate=Length(max=MAX_VALUES), **kw)


class RunFilterSchema(QuerySchema):
    """Filters of runs. A filter given twice matches either value; labels must all match."""

    status = _any_of(fields.String(validate=OneOf(list(Status))))
    origin = _any_of(fields.String(validate=OneOf(list(Origin))))
    namespace = _any_of(api_fields.text(63))
    cluster = _any_of(api_fields.text(128))
    definition_id = _any_of(api_fields.Id())
    suite_run_id = _any_of(api_fields.Id())
    schedule_id = _any_of(api_fields.Id())
    class_ = _any_of(
        fields.String(validate=OneOf(list(FailureClass))),
        data_key="class",
        metadata={"description": "The class of the failure."},
    )
    label = fields.List(
        Selector(),
        validate=Length(max=16),
        metadata={"description": "A label selector, as in Kubernetes; all must match."},
    )
    q = api_fields.text(
        200,
        metadata={
            "description": "Parts of words of the name, the definition, the namespace, the "
            "TestRun, the labels and the failure, or the beginning of the id; all must match."
        },
    )
    since = api_fields.Time(metadata={"description": "Created at this time or later."})
    until = api_fields.Time(metadata={"description": "Created before this time."})
    updated_since = api_fields.Time(metadata={"description": "Changed at this time or later."})


class RunQuerySchema(PageSchema, RunFilterSchema):
    """A page of the runs that pass the filters."""
