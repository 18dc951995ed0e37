"""Serialize rows as JSON documents, described by the structs of `domain`. Pure.

A field with a column of the same name needs no code here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sparktest.api.store.run_documents import (
    CONTROLLER_TIMEOUT,
    NULLABLE,
    RUN_COLUMNS,
    RUN_JSON,
    RUN_OPTIONAL,
    WAITING_REASON,
    controller_hint,
    document_fields,
)
from sparktest.domain import Status, WireStruct
from sparktest.kube.fields import texts
from sparktest.kube.jobs import run_containers
from sparktest.kube.pod_template import test_container

MICROSECOND = timedelta(microseconds=1)

Heartbeats = Mapping[str, datetime]


def required_keys(struct: type[WireStruct]) -> list[str]:
    """Return the JSON keys that every answer has."""
    return [
        field.encode_name
        for field in msgspec.structs.fields(struct)
        if field.default is not None or field.name in NULLABLE
    ]


def serialize_run(row: Mapping[str, Any], heartbeats: Heartbeats, now: datetime) -> dict[str, Any]:
    """Return the document of a run.

    Args:
        row: with its JSON columns as text, which is sent unchanged.
        heartbeats: the last heartbeat of each cluster's controller.
        now: the time now.
    """
    document = {key: row[column] for key, column in RUN_COLUMNS}
    document |= {key: msgspec.Raw(row[column]) for key, column in RUN_JSON}
    template = _decoded(row["template"])
    document["command"] = _display_command(row, template)
    document["containers"] = run_containers(template, _decoded(row["git"]))
    document["jobCreated"] = row["job_uid"] is not None
    document["duration"] = duration_seconds(row["started_at"], row["finished_at"])
    document["log"] = {"state": row["log_state"], "bytes": row["log_bytes"]}
    for key, column in RUN_OPTIONAL:
        value = row[column]
        if value is not None:
            document[key] = value
    if row["log_reason"] is not None:
        document["log"]["reason"] = row["log_reason"]
    if row["k8s_ref_name"] is not None:
        document["k8sRef"] = {"namespace": row["k8s_ref_namespace"], "name": row["k8s_ref_name"]}
        if row["k8s_ref_uid"] is not None:
            document["k8sRef"]["uid"] = row["k8s_ref_uid"]
    if row["failure"] is not None:
        document["failure"] = msgspec.Raw(row["failure"])
    if waits_for_controller(row, heartbeats, now):
        document["statusReason"] = WAITING_REASON
        document["statusMessage"] = controller_hint(row["cluster"])
    return document


def containers(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the containers of a run, its test container first.

    The JSON columns of the row may be text or values.
    """
    return run_containers(_decoded(row["template"]), _decoded(row["git"]))


def _decoded(column: Any) -> Any:
    # Most runs have neither template nor git, and a list has many runs.
    if column == "{}":
        return {}
    return msgspec.json.decode(column) if isinstance(column, str) else column


def serialize_resource(struct: type[WireStruct], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a row with a column for each field of the struct."""
    document = {key: row[column] for key, column in document_fields(struct, omit_none=False)}
    for key, column in document_fields(struct, omit_none=True):
        if row[column] is not None:
            document[key] = row[column]
    return document


def duration_seconds(started: datetime | None, finished: datetime | None) -> int | float | None:
    """Return the seconds between two times: whole seconds as int, else with milliseconds.

    A duration below a millisecond counts as one, so that it is not taken for zero.
    """
    if started is None or finished is None:
        return None
    microseconds = (finished - started) // MICROSECOND
    if microseconds % 1_000_000 == 0:
        return microseconds // 1_000_000
    return max((microseconds + 500) // 1000, 1) / 1000


def _display_command(row: Mapping[str, Any], template: Mapping[str, Any]) -> Any:
    """Return the commands, or command and args of the run, else those of its test container."""
    if row["commands"] != "[]":
        return msgspec.Raw(row["commands"])
    command, args = (msgspec.json.decode(row[column]) for column in ("entrypoint", "args"))
    if not command and template:
        container = test_container(template) or {}
        # The args of the template belong to its command.
        command, args = texts(container, "command"), args or texts(container, "args")
    return [*command, *args]


def waits_for_controller(row: Mapping[str, Any], heartbeats: Heartbeats, now: datetime) -> bool:
    """Return True when no controller is polling for this run; a Job runs on without one."""
    if row["status"] != Status.PENDING or row["job_uid"] is not None:
        return False
    # Only a record that another program reports for has no name of a Job.
    if row["blocked"] or not row["job_name"]:
        return False
    cluster = row["cluster"]
    last = heartbeats.get(cluster) if cluster else max(heartbeats.values(), default=None)
    return last is None or now - last > CONTROLLER_TIMEOUT
