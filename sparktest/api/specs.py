"""What a run runs: its own wishes over its definition's over its executor's. Pure."""

from collections.abc import Mapping
from typing import Any

from sparktest.api.schemas import PRIVILEGED

COMMANDS = ("commands", "command", "args")
MAX_NAME = 200


def resolve_spec(
    payload: Mapping[str, Any],
    definition: Mapping[str, Any] | None,
    executor: Mapping[str, Any] | None,
    *,
    default_timeout_seconds: int,
) -> dict[str, Any]:
    """The columns of a run that say what to run; later edits of the parents change nothing.

    Args:
        payload: a loaded RunCreateSchema or OverridesSchema; what is empty counts as not given.
        definition: the row of the definition, if the run has one.
        executor: the row of the definition's executor, if it has one.
        default_timeout_seconds: for a run where nobody gives a timeout.

    Returns:
        `image` is empty where nobody gives one.
    """
    layers = [payload, definition or {}, executor_defaults(executor) if executor else {}]
    lowest_first = layers[::-1]
    kind = next((layer for layer in layers if any(layer.get(name) for name in COMMANDS)), {})
    return {
        "image": _first(layers, "image") or "",
        "commands": kind.get("commands") or [],
        # In a run, `command` is what people read; what Kubernetes calls so is the entrypoint.
        "entrypoint": kind.get("command") or [],
        "args": kind.get("args") or [],
        "env": {
            name: value
            for layer in lowest_first
            for name, value in (layer.get("env") or {}).items()
        },
        # Of two sources with the same variable, Kubernetes takes the later one.
        "env_from": [source for layer in lowest_first for source in layer.get("env_from") or []],
        "resources": _first(layers, "resources") or {},
        "service_account_name": _first(layers, "service_account_name"),
        "image_pull_secrets": _first(layers, "image_pull_secrets") or [],
        "timeout_seconds": _first(layers, "timeout_seconds") or default_timeout_seconds,
        "ttl_seconds_after_finished": payload.get("ttl_seconds_after_finished"),
        "labels": payload.get("labels") or {},
        "test_definition_id": definition["id"] if definition else None,
        "definition_name": definition["name"] if definition else None,
        "executor_id": executor["id"] if executor else None,
    }


def copy_for_rerun(run: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a new run that runs what this one ran."""
    kept = (
        "name",
        "image",
        "commands",
        "entrypoint",
        "args",
        "env",
        "resources",
        "timeout_seconds",
        "labels",
        "test_definition_id",
        "definition_name",
        "executor_id",
        *PRIVILEGED,
    )
    return {name: run[name] for name in kept} | {
        "ttl_seconds_after_finished": None,
        "rerun_of": run["id"],
    }


def executor_defaults(executor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the executor's columns under the names of a spec."""
    default = executor["default_command"]
    return {
        "image": executor["image"],
        "command": executor["command"],
        "commands": [default] if default and not executor["command"] else [],
        "env": executor["env"],
    }


def _first(layers: list[Mapping[str, Any]], name: str) -> Any:
    return next((layer[name] for layer in layers if layer.get(name)), None)
