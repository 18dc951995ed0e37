"""Schemas of the requests about tokens and the audit."""

from marshmallow import fields
from marshmallow.validate import Length, NoneOf, OneOf

from sparktest.api import fields as api_fields
from sparktest.api.auth import RESERVED_NAMES
from sparktest.api.schemas import PageSchema
from sparktest.domain import MAX_NAME_LENGTH, Scope


class TokenInputSchema(api_fields.Schema):
    """A token to create."""

    name = fields.String(
        required=True,
        validate=[
            api_fields.Pattern(
                rf"^[!-~]([ -~]{{0,{MAX_NAME_LENGTH - 2}}}[!-~])?$",
                error=f"must be 1 to {MAX_NAME_LENGTH} printable ASCII characters",
            ),
            NoneOf(sorted(RESERVED_NAMES), error="is the name of a built-in caller"),
        ],
    )
    scopes = fields.List(
        fields.String(validate=OneOf(list(Scope))), required=True, validate=Length(1, len(Scope))
    )
    expires_at = api_fields.Time()


class AuditQuerySchema(PageSchema):
    """Filters of the audit: all of them must match."""

    actor = api_fields.text(MAX_NAME_LENGTH)
    object_id = api_fields.Id()
    since = api_fields.Time()
    until = api_fields.Time()
