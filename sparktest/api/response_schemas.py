"""What the OpenAPI document says comes back; `documents` is what makes it."""

import marshmallow as ma
from marshmallow import fields
from marshmallow.validate import OneOf

from sparktest.api import fields as our
from sparktest.api.schemas import (
    ORIGINS,
    STATUSES,
    DefinitionSchema,
    FailureSchema,
    K8sRefSchema,
    LogStateSchema,
    SpecSchema,
)

JOB_STATUSES = ["completed", "failed", "running", "pending"]


class RunSchema(SpecSchema):
    """One execution: one Kubernetes Job. `command` is what people read."""

    id = our.Id()
    name = our.name()
    status = fields.String(validate=OneOf(STATUSES))
    status_reason = fields.String()
    status_message = fields.String()
    origin = fields.String(validate=OneOf(ORIGINS))
    k8s_ref = fields.Nested(K8sRefSchema)
    cluster = fields.String()
    namespace = fields.String()
    job_name = fields.String()
    job_uid = fields.String()
    job_created = fields.Boolean()
    entrypoint = our.commands()
    ttl_seconds_after_finished = our.seconds(0)
    test_definition_id = our.Id(allow_none=True)
    definition_name = fields.String()
    executor_id = our.Id(allow_none=True)
    suite_run_id = our.Id()
    rerun_of = our.Id()
    created_at = our.Time()
    started_at = our.Time(allow_none=True)
    finished_at = our.Time(allow_none=True)
    updated_at = our.Time()
    cancel_requested_at = our.Time()
    duration = fields.Float(allow_none=True)
    failure = fields.Nested(FailureSchema)
    log = fields.Nested(LogStateSchema)
    labels = our.labels()
    version = fields.Integer()


class StoredDefinitionSchema(DefinitionSchema):
    """A definition as answered."""


class FieldErrorSchema(our.Schema):
    """One broken rule."""

    pointer = fields.String(metadata={"description": "JSON pointer (RFC 6901) of the field"})
    detail = fields.String()


class ProblemSchema(our.Schema):
    """An error, as in RFC 9457."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    errors = fields.List(fields.Nested(FieldErrorSchema))
    stored = fields.Integer(
        metadata={"description": "bytes of the log that are stored (409 of a log offset)"}
    )


class HealthSchema(our.Schema):
    """The service and its database answer."""

    status = fields.String(validate=OneOf(["healthy"]))
    timestamp = our.Time()


class ControllerSeenSchema(our.Schema):
    """When the controller of a cluster last spoke."""

    cluster = fields.String()
    seen_at = our.Time()


class StoredLogSchema(our.Schema):
    """How much of a container's log is stored."""

    bytes = fields.Integer()


class KubernetesHealthSchema(ma.Schema):
    """Whether the cluster answers."""

    kubernetes_connected = fields.Boolean()
    timestamp = our.Time()
    error = fields.String()


class JobSchema(ma.Schema):
    """A Job of SparkTest."""

    name = fields.String()
    namespace = fields.String()
    run_id = our.Id(allow_none=True)
    status = fields.String(validate=OneOf(JOB_STATUSES))
    created_at = our.Time()


class JobsSchema(ma.Schema):
    """SparkTest's Jobs in the cluster."""

    jobs = fields.List(fields.Nested(JobSchema))
    count = fields.Integer()
    timestamp = our.Time()


class JobStatusSchema(ma.Schema):
    """The status of a Job."""

    job_name = fields.String()
    status = fields.String(validate=OneOf(JOB_STATUSES))
    timestamp = our.Time()


class JobLogsSchema(JobStatusSchema):
    """The last lines of a Job's log."""

    pod_name = fields.String()
    logs = fields.String()


class MessageSchema(ma.Schema):
    """What was done."""

    message = fields.String()
    timestamp = our.Time()
