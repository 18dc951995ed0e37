"""Resolve what a run runs: the request overrides its definition, which overrides its executor.

Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sparktest.domain import RunSpec
from sparktest.errors import FieldError
from sparktest.kube.fields import items, mapping, text
from sparktest.kube.pod_template import AMBIGUOUS_CONTAINER, merge_templates, test_container

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
    spec = _merge(layers)
    return spec | {
        "timeout_seconds": spec["timeout_seconds"] or default_timeout_seconds,
        "labels": payload.get("labels") or {},
        "test_definition_id": definition["id"] if definition else None,
        "definition_name": definition["name"] if definition else None,
        "executor_id": executor["id"] if executor else None,
    }


def resolve_rerun(payload: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a new run with the spec of this run and the overrides of the payload.

    Args:
        payload: a loaded OverridesSchema.
        run: the row of the run to repeat.
    """
    kept = ("name", "test_definition_id", "definition_name", "executor_id")
    spec = _merge([payload, _as_layer(run)])
    return spec | {
        **{name: run[name] for name in kept},
        "name": payload.get("name") or run["name"],
        "labels": {**run["labels"], **(payload.get("labels") or {})},
        "ttl_seconds_after_finished": payload.get(
            "ttl_seconds_after_finished", run["ttl_seconds_after_finished"]
        ),
        "rerun_of": run["id"],
    }


def _as_layer(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a run as a layer to merge others onto."""
    layer = {name: run[name] for name in RunSpec.__struct_fields__}
    if run["image"] == text(test_container(run["template"]) or {}, "image"):
        # The image comes from the template; as a short field it would win over an override.
        layer["image"] = ""
    return layer | {"command": run["entrypoint"], "timeout_seconds": run["timeout_seconds"]}


def _merge(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the spec columns that these layers give, the highest layer first."""
    lowest_first = layers[::-1]
    commands = next((layer for layer in layers if any(layer.get(f) for f in COMMAND_FIELDS)), {})
    template = merged_template(*lowest_first)
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
        "timeout_seconds": _first(layers, "timeout_seconds"),
        "ttl_seconds_after_finished": layers[0].get("ttl_seconds_after_finished"),
    }


def merged_template(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merged template of these layers, the lowest layer first."""
    template: dict[str, Any] = {}
    for layer in layers:
        template = merge_templates(template, layer.get("template") or {})
    return template


def template_error(
    layer: Mapping[str, Any], parents: Sequence[Mapping[str, Any]] = ()
) -> FieldError | None:
    """Return why the layer does not give one image to one test container; None if it does.

    Args:
        layer: a definition, or the payload of a run.
        parents: the layers that it is merged onto, the lowest first.
    """
    test = test_container(merged_template(*parents, layer))
    if test is None:
        return {"pointer": "/template", "detail": AMBIGUOUS_CONTAINER}
    name = test.get("name")
    own = items(mapping(layer.get("template"), "spec"), "containers")
    if layer.get("image") and any(each.get("name") == name and "image" in each for each in own):
        detail = f"the template's container {name!r} has an image as well; give it only once"
        return {"pointer": "/image", "detail": detail}
    return None


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


def _first(layers: Sequence[Mapping[str, Any]], name: str) -> Any:
    return next((layer[name] for layer in layers if layer.get(name)), None)
