"""Serialize rows as JSON documents, described by the structs of `domain`. Pure.

A field with a column of the same name needs no code here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from sparktest.api.store.runs import JSON_COLUMNS
from sparktest.domain import Run, RunSpec, Status, WireStruct
from sparktest.kube.fields import texts
from sparktest.kube.jobs import run_containers
from sparktest.kube.pod_template import test_container

# A pending run whose controller has been silent for longer has the reason WAITING_REASON.
CONTROLLER_TIMEOUT = timedelta(seconds=15)
WAITING_REASON = "WaitingForController"
# Fields of a run without a column of the same name; see `serialize_run`.
DERIVED = frozenset(
    {"command", "containers", "job_created", "duration", "k8s_ref", "failure", "log"}
)
# Sent as null where there is no value: earlier clients expect these keys.
NULLABLE = frozenset({"test_definition_id", "executor_id", "started_at", "finished_at", "duration"})

Fields = tuple[tuple[str, str], ...]
Heartbeats = Mapping[str, datetime]


def required_keys(struct: type[WireStruct]) -> list[str]:
    """Return the JSON keys that every answer has."""
    return [
        field.encode_name
        for field in msgspec.structs.fields(struct)
        if field.default is not None or field.name in NULLABLE
    ]


@cache
def _fields(struct: type[WireStruct], *, omit_none: bool) -> Fields:
    """Return pairs of JSON key and column, with the fields of the spec last."""
    pairs = [
        (field.encode_name, field.name)
        for field in msgspec.structs.fields(struct)
        if (field.default is None and field.name not in NULLABLE) == omit_none
    ]
    return tuple(sorted(pairs, key=lambda pair: pair[1] in RunSpec.__struct_fields__))


RUN_COLUMNS = tuple(
    pair for pair in _fields(Run, omit_none=False) if pair[1] not in JSON_COLUMNS | DERIVED
)
RUN_JSON = tuple(
    pair for pair in _fields(Run, omit_none=False) if pair[1] in JSON_COLUMNS - DERIVED
)
RUN_OPTIONAL = tuple(pair for pair in _fields(Run, omit_none=True) if pair[1] not in DERIVED)


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
        document["k8sRef"] = {
            "namespace": row["k8s_ref_namespace"],
            "name": row["k8s_ref_name"],
            "uid": row["k8s_ref_uid"],
        }
    if row["failure"] is not None:
        document["failure"] = msgspec.Raw(row["failure"])
    if _waits_for_controller(row, heartbeats, now):
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
    document = {key: row[column] for key, column in _fields(struct, omit_none=False)}
    for key, column in _fields(struct, omit_none=True):
        if row[column] is not None:
            document[key] = row[column]
    return document


def duration_seconds(started: datetime | None, finished: datetime | None) -> int | float | None:
    """Return the seconds between two times: whole seconds as int, else with milliseconds.

    A duration below a millisecond counts as one, so that it is not taken for zero.
    """
    if started is None or finished is None:
        return None
    elapsed = finished - started
    if not elapsed.microseconds:
        return elapsed.days * 86_400 + elapsed.seconds
    return max(round(elapsed.total_seconds(), 3), 0.001)


def controller_hint(cluster: str | None) -> str:
    """Return the message that says which controller is missing and how to start one."""
    if cluster:
        silent = f"the controller of cluster {cluster} has not called the API for 15 s"
    else:
        silent = "no controller has called the API for 15 s"
    return f"{silent}; start one with: sparktest controller (or sparktest up)"


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


def _waits_for_controller(row: Mapping[str, Any], heartbeats: Heartbeats, now: datetime) -> bool:
    """Return True when no controller is polling for this run; a Job runs on without one."""
    if row["status"] != Status.PENDING or row["job_uid"] is not None:
        return False
    cluster = row["cluster"]
    last = heartbeats.get(cluster) if cluster else max(heartbeats.values(), default=None)
    return last is None or now - last > CONTROLLER_TIMEOUT
