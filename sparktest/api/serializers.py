"""Rows as the documents of the contract. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sparktest.domain import Status

# How long a controller may be silent before pending runs say that they wait for it.
CONTROLLER_SILENCE = timedelta(seconds=15)
WAITING = "WaitingForController"
# In an answer only where there is something to say.
OPTIONAL = {
    "statusReason": "status_reason",
    "statusMessage": "status_message",
    "cluster": "cluster",
    "suiteRunId": "suite_run_id",
    "rerunOf": "rerun_of",
    "jobUid": "job_uid",
    "definitionName": "definition_name",
    "serviceAccountName": "service_account_name",
    "ttlSecondsAfterFinished": "ttl_seconds_after_finished",
    "cancelRequestedAt": "cancel_requested_at",
}

Seen = Mapping[str, datetime]


def run(row: Mapping[str, Any], seen: Seen, now: datetime) -> dict[str, Any]:
    """The run as answered.

    Args:
        row: with its JSON columns as text, which goes into the answer as it is.
        seen: when the controller of each cluster was last seen.
        now: the time now.
    """
    document = {
        "id": row["id"],
        "name": row["name"],
        "image": row["image"],
        "commands": _raw(row["commands"]),
        "entrypoint": _raw(row["entrypoint"]),
        "args": _raw(row["args"]),
        "command": _command(row),
        "status": row["status"],
        "origin": row["origin"],
        "namespace": row["namespace"],
        "jobName": row["job_name"],
        "jobCreated": row["job_uid"] is not None,
        "testDefinitionId": row["test_definition_id"],
        "executorId": row["executor_id"],
        "env": _raw(row["env"]),
        "envFrom": _raw(row["env_from"]),
        "resources": _raw(row["resources"]),
        "imagePullSecrets": _raw(row["image_pull_secrets"]),
        "timeoutSeconds": row["timeout_seconds"],
        "createdAt": row["created_at"],
        "startedAt": row["started_at"],
        "finishedAt": row["finished_at"],
        "updatedAt": row["updated_at"],
        "duration": _duration(row["started_at"], row["finished_at"]),
        "log": _log(row),
        "labels": _raw(row["labels"]),
        "version": row["version"],
    }
    for key, column in OPTIONAL.items():
        if row[column] is not None:
            document[key] = row[column]
    if row["k8s_ref_name"] is not None:
        document["k8sRef"] = {
            "namespace": row["k8s_ref_namespace"],
            "name": row["k8s_ref_name"],
            "uid": row["k8s_ref_uid"],
        }
    if row["failure"] is not None:
        document["failure"] = _raw(row["failure"])
    if _waits_for_controller(row, seen, now):
        document["statusReason"] = WAITING
        document["statusMessage"] = controller_hint(row["cluster"])
    return document


def definition(row: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as answered."""
    document = {
        "id": row["id"],
        "name": row["name"],
        "image": row["image"],
        "commands": row["commands"],
        "command": row["command"],
        "args": row["args"],
        "env": row["env"],
        "envFrom": row["env_from"],
        "resources": row["resources"],
        "imagePullSecrets": row["image_pull_secrets"],
        "description": row["description"],
        "executorId": row["executor_id"],
        "labels": row["labels"],
        "createdAt": row["created_at"],
        "version": row["version"],
    }
    for key, column in (
        ("serviceAccountName", "service_account_name"),
        ("timeoutSeconds", "timeout_seconds"),
    ):
        if row[column] is not None:
            document[key] = row[column]
    return document


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _command(row: Mapping[str, Any]) -> Any:
    """What people read: the commands, or entrypoint and args in a row."""
    if row["commands"] != "[]":
        return _raw(row["commands"])
    if row["args"] == "[]":
        return _raw(row["entrypoint"])
    return [*msgspec.json.decode(row["entrypoint"]), *msgspec.json.decode(row["args"])]


def _duration(started: datetime | None, finished: datetime | None) -> float | None:
    if started is None or finished is None:
        return None
    return round((finished - started).total_seconds(), 3)


def _log(row: Mapping[str, Any]) -> dict[str, Any]:
    log = {"state": row["log_state"], "bytes": row["log_bytes"]}
    if row["log_reason"] is not None:
        log["reason"] = row["log_reason"]
    return log


def _waits_for_controller(row: Mapping[str, Any], seen: Seen, now: datetime) -> bool:
    """Whether nobody is there who would take this run up; a Job runs on without anybody."""
    if row["status"] != Status.PENDING or row["job_uid"] is not None:
        return False
    last = seen.get(row["cluster"]) if row["cluster"] else max(seen.values(), default=None)
    return last is None or now - last > CONTROLLER_SILENCE


def controller_hint(cluster: str | None) -> str:
    """Return the message that tells how to start a controller for a pending run."""
    which = f"the controller of cluster {cluster}" if cluster else "no controller"
    silent = f"{which} has {'not ' if cluster else ''}asked for work for 15 s"
    return f"{silent}; start one with: sparktest controller (or sparktest up)"
