"""Schemas of requests: bodies and queries."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import Length, OneOf, Range

from sparktest.api import fields as api_fields
from sparktest.api import spec_fields
from sparktest.api.parsing import QuerySchema
from sparktest.api.responses import DEFAULT_LIMIT, MAX_LIMIT
from sparktest.domain import (
    MAX_LABEL_KEY_LENGTH,
    MAX_LABEL_VALUE_LENGTH,
    MAX_LABELS,
    FailureClass,
    LogState,
    Origin,
    Status,
)
from sparktest.kube.script import MAX_COMMAND_BYTES

# These give privileges to a pod. They come from definitions, executors and TestRun objects, or
# from a request with the scope admin.
PRIVILEGED = ("env_from", "service_account_name", "image_pull_secrets", "template")


def given(original: Any) -> set[str]:
    """Return the names of the fields that the client sent, valid or not."""
    # A nested value can be of any type: {"k8sRef": 5}.
    if not isinstance(original, dict):
        return set()
    return {key for key, value in original.items() if value is not None}


def privileged_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the privileged fields of a loaded or stored spec, by their JSON pointers."""
    found = {f"/{api_fields.camel(name)}": spec.get(name) for name in PRIVILEGED}
    found["/git/secretName"] = (spec.get("git") or {}).get("secretName")
    return {pointer: value for pointer, value in found.items() if value}


class ContainerSchema(api_fields.Schema):
    """The test container: the fields that definitions, executors and runs have in common."""

    # An empty text is the same as none: so it stands in a document that is sent back.
    image = api_fields.text(1024)
    command = api_fields.arguments()
    env = fields.Dict(
        keys=fields.String(validate=api_fields.ENV_NAME),
        values=fields.String(),
        validate=Length(max=1000),
    )
    template = spec_fields.Template(
        metadata={"description": "A partial PodTemplateSpec, as in a Job, of at most 256 KiB."}
    )

    @ma.validates("env")
    def fits_an_environment(self, env: dict[str, str], data_key: str) -> None:
        """Refuse variables that no process can have."""
        sizes = {name: api_fields.size(f"{name}={value}") for name, value in env.items()}
        # A variable has the same limit as an argument.
        limit = MAX_COMMAND_BYTES
        wrong = {
            name: {"value": [f"has {size:,} bytes with its name; Linux allows {limit:,}"]}
            for name, size in sizes.items()
            if size > limit
        }
        if wrong:
            raise ma.ValidationError(wrong)


class SpecSchema(ContainerSchema):
    """A spec; any field may come from the definition or the executor instead."""

    commands = api_fields.arguments()
    args = api_fields.arguments()
    env_from = fields.List(fields.Nested(spec_fields.EnvFrom), validate=Length(max=100))
    resources = fields.Nested(spec_fields.Resources)
    service_account_name = api_fields.text(253, 1)
    image_pull_secrets = fields.List(
        fields.Nested(spec_fields.PullSecret), validate=Length(max=100)
    )
    git = fields.Nested(spec_fields.Git)
    timeout_seconds = api_fields.seconds(1)

    @ma.validates_schema(skip_on_field_errors=False)
    def one_kind_of_command(self, data: dict[str, Any], **kw: Any) -> None:
        """Allow commands for a shell or an exec form, not both."""
        if data.get("commands") and (data.get("command") or data.get("args")):
            raise ma.ValidationError("give commands, or command and args, not both", "commands")


class OverridesSchema(SpecSchema):
    """Overrides of a definition for one run."""

    name = api_fields.name()
    labels = fields.Dict(
        keys=api_fields.text(MAX_LABEL_KEY_LENGTH, 1),
        values=api_fields.text(MAX_LABEL_VALUE_LENGTH),
        validate=Length(max=MAX_LABELS),
    )
    ttl_seconds_after_finished = api_fields.seconds(0)


class StartSchema(OverridesSchema):
    """Overrides of a definition for a run that starts in a namespace."""

    namespace = api_fields.dns_label(
        metadata={"description": "SPARKTEST_NAMESPACE, or one of SPARKTEST_RUN_NAMESPACES."}
    )


class TestRunRefSchema(api_fields.Schema):
    """Reference to the TestRun object of a run."""

    namespace = api_fields.dns_label(required=True)
    name = fields.String(required=True, validate=api_fields.DNS_NAME)
    uid = api_fields.text(128, 1)


class RunCreateSchema(StartSchema):
    """A run to create; with origin crd, the TestRun object to register."""

    definition_id = api_fields.Id()
    definition_name = api_fields.name()
    origin = fields.String(validate=OneOf(list(Origin)), load_default=Origin.API.value)
    k8s_ref = fields.Nested(TestRunRefSchema)
    cluster = api_fields.text(128, 1)
    # The TestRun has a Job or has ended: the database was lost, perhaps with the definition.
    started = api_fields.Bool(load_default=False)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def one_source(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """Allow one definition at most; without one, an API run needs a name and an image."""
        fields_given = given(original)
        named = {"definitionId", "definitionName"} & fields_given
        if len(named) == 2:
            raise ma.ValidationError(
                "give definitionId or definitionName, not both", "definitionId"
            )
        if data.get("origin") == Origin.CRD or named:
            return
        errors: dict[str, Any] = {}
        if "name" not in fields_given:
            errors["name"] = ["is required without a definition"]
        if not (original.get("image") or original.get("template")):
            errors["image"] = ["is required without a definition or a template"]
        if errors:
            raise ma.ValidationError(errors)

    @ma.validates_schema(skip_on_field_errors=False, pass_original=True)
    def matches_origin(self, data: dict[str, Any], original: Any, **kw: Any) -> None:
        """Require the TestRun reference with origin crd, and refuse it otherwise.

        Its uid and the cluster are given together; without them it is a record, not a registration.
        """
        fields_given = {"cluster", "k8sRef"} & given(original)
        errors: dict[str, Any] = {}
        if data.get("origin") != Origin.CRD:
            errors = {name: ["is allowed only with origin crd"] for name in fields_given}
        elif "k8sRef" not in fields_given:
            errors["k8sRef"] = ["is required with origin crd"]
        elif "uid" in given(original["k8sRef"]) and "cluster" not in fields_given:
            errors["cluster"] = ["is required with a uid"]
        elif "cluster" in fields_given and "uid" not in given(original["k8sRef"]):
            errors["k8sRef"] = {"uid": ["is required with a cluster"]}
        if errors:
            raise ma.ValidationError(errors)


class PageSchema(QuerySchema):
    """A page of a list."""

    limit = api_fields.QueryInteger(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = fields.String()


class NamedQuerySchema(PageSchema):
    """Filters of objects with a name; `q` is a part of the name."""

    q = api_fields.text(200)


class SuiteRunQuerySchema(PageSchema):
    """Filters of suite runs. A filter given twice matches either value."""

    suite_id = fields.List(api_fields.Id())
    # Also those of deleted suites, of which there may have been several with this name.
    suite_name = fields.List(api_fields.name())
    status = fields.List(fields.String(validate=OneOf(list(Status))))


class ReportedFailureSchema(api_fields.JsonKeySchema):
    """The failure in a report."""

    class_ = fields.String(data_key="class", required=True, validate=OneOf(list(FailureClass)))
    reason = fields.String(required=True)
    message = fields.String(load_default="")
    exit_code = fields.Integer(strict=True, validate=Range(-(2**31), 2**31))
    container = api_fields.text(253)


class ReportedLogSchema(api_fields.Schema):
    """The state of the log in a report."""

    state = fields.String(required=True, validate=OneOf(list(LogState)))
    reason = fields.String()
    bytes = fields.Integer(strict=True)


class ReportSchema(api_fields.Schema):
    """A report of the controller about a run."""

    replace_nul = True

    status = fields.String(required=True, validate=OneOf(list(Status)))
    status_reason = fields.String()
    status_message = fields.String()
    job_uid = api_fields.text(128, 1)
    started_at = api_fields.Time()
    finished_at = api_fields.Time()
    failure = fields.Nested(ReportedFailureSchema)
    log = fields.Nested(ReportedLogSchema)
    git_commit = fields.String(validate=api_fields.COMMIT)


class ClaimSchema(api_fields.Schema):
    """The cluster that claims a run."""

    cluster = api_fields.text(128, 1, required=True)


class AppendSchema(api_fields.Schema):
    """The position of an append to a log, in bytes."""

    offset = api_fields.QueryInteger(0, 2**62, required=True)


class LogQuerySchema(api_fields.Schema):
    """The part of a log to return."""

    container = api_fields.dns_label()
    follow = fields.Boolean(load_default=False)
    tail = api_fields.QueryInteger(0, 2**31)
    offset = api_fields.QueryInteger(0, 2**62)

    @ma.validates_schema
    def one_start(self, data: dict[str, Any], **kw: Any) -> None:
        """Allow only one start."""
        if "tail" in data and "offset" in data:
            raise ma.ValidationError("give tail or offset, not both", "offset")
