"""What a client may send."""

from typing import Any

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, OneOf, Range

from sparktest.api import fields as our
from sparktest.api.paging import LIMIT, MAX_LIMIT
from sparktest.domain import FailureClass, LogState, Origin, Status

STATUSES = [status.value for status in Status]
ORIGINS = [origin.value for origin in Origin]
# Pods get rights by these, so an API run may not choose them; a definition may.
PRIVILEGED = ("env_from", "service_account_name", "image_pull_secrets")


def given(original: Any) -> set[str]:
    """The names of the fields that the client sent, valid or not."""
    if not isinstance(original, dict):  # k8sRef: 5
        return set()
    return {key for key, value in original.items() if value is not None}


class SpecSchema(our.Schema):
    """What to run and how; any part may come from the definition or the executor instead."""

    image = our.text(1024, 1)
    commands = our.commands()
    command = our.commands()
    args = our.commands()
    env = our.env()
    env_from = fields.List(fields.Nested(our.EnvFrom), validate=Length(max=100))
    resources = fields.Nested(our.Resources)
    service_account_name = our.text(253, 1)
    image_pull_secrets = fields.List(fields.Nested(our.PullSecret), validate=Length(max=100))
    timeout_seconds = our.seconds(1)

    @ma.validates_schema(skip_on_field_errors=False)
    def one_kind_of_command(self, data: dict[str, Any], **kw: Any) -> None:
        """Commands for a shell, or an exec form, not both."""
        if data.get("commands") and (data.get("command") or data.get("args")):
            raise ma.ValidationError("give commands, or command and args, not both", "commands")


class DefinitionSchema(SpecSchema):
    """A reusable test."""

    id = our.Id(dump_only=True)
    name = our.name(required=True)
    description = our.text(10_000, load_default="")
    executor_id = our.Id(allow_none=True)
    labels = our.texts(200, 64)
    created_at = our.Time(dump_only=True)
    version = fields.Integer(dump_only=True)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def something_to_run(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """Without an executor there is no other place for the image to come from."""
        if not {"image", "executorId"} & given(original):
            raise ma.ValidationError("is needed, unless executorId gives one", "image")


class OverridesSchema(SpecSchema):
    """What one run of a definition does otherwise."""

    name = our.name()
    labels = our.labels()
    ttl_seconds_after_finished = our.seconds(0)

    @ma.validates_schema(skip_on_field_errors=False)
    def no_rights(self, data: dict[str, Any], **kw: Any) -> None:
        """What gives a pod rights comes from a definition, or from a TestRun object."""
        if data.get("origin") == Origin.CRD:
            return
        refused = [name for name in PRIVILEGED if name in data]
        if refused:
            why = "is possible only in a definition or a TestRun object"
            raise ma.ValidationError({our.camel(name): [why] for name in refused})


class K8sRefSchema(our.Schema):
    """The TestRun object behind a run."""

    namespace = our.dns_label(required=True)
    name = our.dns_name(required=True)
    uid = our.text(128, 1)


class RunCreateSchema(OverridesSchema):
    """A run to create: of a definition or ad hoc; or, with origin crd, to register."""

    definition_id = our.Id()
    definition_name = our.name()
    origin = fields.String(validate=OneOf(ORIGINS), load_default=Origin.API.value)
    k8s_ref = fields.Nested(K8sRefSchema)
    cluster = our.text(128, 1)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def one_source(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """At most one definition; and, of an API run, a name and an image from somewhere."""
        fields_given = given(original)
        named = {"definitionId", "definitionName"} & fields_given
        if len(named) == 2:
            raise ma.ValidationError(
                "give definitionId or definitionName, not both", "definitionId"
            )
        if data.get("origin") == Origin.CRD or named:
            return
        missing = [name for name in ("name", "image") if name not in fields_given]
        if missing:
            why = "is needed where no definition gives one"
            raise ma.ValidationError({name: [why] for name in missing})

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def where_from(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """A run of a TestRun says which; an API run has none."""
        fields_given = {"cluster", "k8sRef"} & given(original)
        if data.get("origin") != Origin.CRD:
            wrong, why = fields_given, "is possible only with origin crd"
        else:
            wrong, why = {"cluster", "k8sRef"} - fields_given, "is needed with origin crd"
        errors: dict[str, Any] = {name: [why] for name in wrong}
        if not wrong and fields_given and "uid" not in given(original["k8sRef"]):
            errors["k8sRef"] = {"uid": [why]}
        if errors:
            raise ma.ValidationError(errors)


class PageSchema(our.Schema):
    """Which page of a list."""

    limit = fields.Integer(load_default=LIMIT, validate=Range(1, MAX_LIMIT))
    cursor = fields.String()


class DefinitionQuerySchema(PageSchema):
    """Which definitions to list; `q` is a part of the name."""

    q = our.text(200)


class RunQuerySchema(PageSchema):
    """Which runs to list. A filter given twice means either; a label given twice means both."""

    status = fields.List(fields.String(validate=OneOf(STATUSES)))
    origin = fields.List(fields.String(validate=OneOf(ORIGINS)))
    namespace = fields.List(our.text(63))
    cluster = fields.List(our.text(128))
    definition_id = fields.List(our.Id())
    label = fields.List(our.text(507, 1), validate=Length(max=16))
    q = our.text(200)
    since = our.Time()
    updated_since = our.Time()


class FailureSchema(our.Schema):
    """Why a run ended otherwise than well."""

    class_ = fields.String(
        data_key="class", required=True, validate=OneOf([kind.value for kind in FailureClass])
    )
    reason = fields.String(required=True)
    message = fields.String(load_default="")
    exit_code = our.StrictInteger(validate=Range(-(2**31), 2**31))


class LogStateSchema(our.Schema):
    """How much of the log is stored."""

    state = fields.String(required=True, validate=OneOf([state.value for state in LogState]))
    reason = fields.String()
    bytes = fields.Integer()


class ReportSchema(our.Schema):
    """What the controller saw of a run."""

    replace_nul = True

    status = fields.String(required=True, validate=OneOf(STATUSES))
    status_reason = fields.String()
    status_message = fields.String()
    job_uid = our.text(128, 1)
    started_at = our.Time()
    finished_at = our.Time()
    failure = fields.Nested(FailureSchema)
    log = fields.Nested(LogStateSchema)


class ClaimSchema(our.Schema):
    """Which cluster takes the run up."""

    cluster = our.text(128, 1, required=True)


class AppendSchema(our.Schema):
    """Where a piece of a log begins, in bytes."""

    offset = fields.Integer(required=True, validate=Range(0, 2**62))


class LogQuerySchema(our.Schema):
    """Which part of a log: of which container, the last lines, or from a byte on."""

    container = our.dns_label()
    follow = fields.Boolean(load_default=False)
    tail = fields.Integer(validate=Range(0, 2**31))
    offset = fields.Integer(validate=Range(0, 2**62))

    @ma.validates_schema
    def one_start(self, data: dict[str, Any], **kw: Any) -> None:
        """Only one beginning."""
        if "tail" in data and "offset" in data:
            raise ma.ValidationError("give tail or offset, not both", "offset")
