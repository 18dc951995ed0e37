"""Resolve what a run runs: the request overrides its definition, which overrides its executor.

Pure.
"""

from collections.abc import Mapping
from typing import Any

from sparktest.api.schemas import PRIVILEGED
from sparktest.domain import RunSpec
from sparktest.kube.fields import text
from sparktest.kube.pod_template import merge_templates, test_container

COMMAND_FIELDS = ("commands", "command", "args")
EMPTY_SPEC = RunSpec()


def resolve_spec(
    payload: Mapping[str, Any],
    definition: Mapping[str, Any] | None,
    executor: Mapping[str, Any] | None,
    *,
    default_timeout_seconds: int,
) -> dict[str, Any]:
    """Return the spec columns of a run; later changes of its definition do not affect them.

    Args:
        payload: a loaded RunCreateSchema or OverridesSchema; an empty field counts as not given.
        definition: the row of the definition, if the run has one.
        executor: the row of the definition's executor, if it has one.
        default_timeout_seconds: for a run without a timeout.

    Returns:
        Columns of a run. `image` is empty where no layer has one.
    """
    layers = [payload, definition or {}, executor_defaults(executor) if executor else {}]
    lowest_first = layers[::-1]
    commands = next((layer for layer in layers if any(layer.get(f) for f in COMMAND_FIELDS)), {})
    template: dict[str, Any] = {}
    for layer in lowest_first:
        template = merge_templates(template, layer.get("template") or {})
    spec = {
        name: _first(layers, name) or getattr(EMPTY_SPEC, name)
        for name in RunSpec.__struct_fields__
    }
    return spec | {
        "commands": commands.get("commands") or [],
        # In a run, `command` is for display; Kubernetes' command is its `entrypoint`.
        "entrypoint": commands.get("command") or [],
        "args": commands.get("args") or [],
        "env": {
            name: value
            for layer in lowest_first
            for name, value in (layer.get("env") or {}).items()
        },
        "image": _first(layers, "image") or text(test_container(template) or {}, "image"),
        "template": template,
        # Of two sources with the same variable, Kubernetes uses the later one.
        "env_from": [source for layer in lowest_first for source in layer.get("env_from") or []],
        "timeout_seconds": _first(layers, "timeout_seconds") or default_timeout_seconds,
        "ttl_seconds_after_finished": payload.get("ttl_seconds_after_finished"),
        "labels": payload.get("labels") or {},
        "test_definition_id": definition["id"] if definition else None,
        "definition_name": definition["name"] if definition else None,
        "executor_id": executor["id"] if executor else None,
    }


def copy_for_rerun(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a new run with the spec of this one."""
    kept = (
        *RunSpec.__struct_fields__,
        "name",
        "entrypoint",
        "timeout_seconds",
        "labels",
        "test_definition_id",
        "definition_name",
        "executor_id",
    )
    return {name: run[name] for name in kept} | {
        "ttl_seconds_after_finished": None,
        "rerun_of": run["id"],
    }


def has_privileged_fields(spec: Mapping[str, Any]) -> bool:
    """Return True when the spec uses Secrets or a ServiceAccount of its namespace."""
    return any(spec[name] for name in PRIVILEGED)


def executor_defaults(executor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that an executor sets."""
    default = executor["default_command"]
    return {
        "image": executor["image"],
        "command": executor["command"],
        "commands": [default] if default and not executor["command"] else [],
        "env": executor["env"],
        "template": executor["template"],
    }


def _first(layers: list[Mapping[str, Any]], name: str) -> Any:
    return next((layer[name] for layer in layers if layer.get(name)), None)
