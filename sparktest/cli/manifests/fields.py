"""Find the fields of a manifest that its kind does not have, and say where they belong. Pure."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from sparktest.kube.fields import Object

Path = tuple[str | int, ...]

# Not a kind of Kubernetes: a body of the REST API.
DEFINITION = "Definition"

# Where a kind, or a definition, has its pod template; a Pod has the template's fields itself.
TEMPLATES: dict[str, Path] = {
    "TestRun": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
    DEFINITION: ("template",),
}
# What a Job has instead of these, or why a run has nothing like it.
TESTRUN_HINTS = {
    "activeDeadlineSeconds": "use spec.timeoutSeconds",
    "restartPolicy": "leave it out: a run is never repeated",
    "backoffLimit": "leave it out: a run is never repeated",
    "completions": "leave it out: a run has one pod",
    "parallelism": "leave it out: a run has one pod",
}
TYPES: dict[str, tuple[type, str]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "string": (str, "a string"),
}


def field_problems(kind: str, content: Object, schema: Object) -> list[str]:
    """Return what is wrong with the fields of an object of this kind, each with its path."""
    return [
        f"{path_text(path)}: {problem or _unknown(kind, path, schema)}"
        for path, problem in _problems(content, schema, ())
    ]


def path_text(path: Path) -> str:
    """Return a path as text: `spec.containers[0].image`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).lstrip(".")


def _problems(value: Any, schema: Object, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path of each unknown field with "", and of each value of a wrong type with why."""
    if value is None or "x-kubernetes-int-or-string" in schema:
        return
    expected, name = TYPES.get(schema.get("type", ""), (object, ""))
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        quotes = (
            ": put it in quotes" if expected is str and not isinstance(value, dict | list) else ""
        )
        yield path, f"must be {name}{quotes}"
    elif isinstance(value, dict):
        yield from _field_problems(value, schema, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _problems(item, schema["items"], (*path, index))


def _field_problems(value: Object, schema: Object, path: Path) -> Iterator[tuple[Path, str]]:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    for name, item in value.items():
        if properties is not None and name in properties:
            yield from _problems(item, properties[name], (*path, name))
        elif others is not None:
            yield from _problems(item, others, (*path, name))
        elif properties is not None:
            yield (*path, name), ""


def _unknown(kind: str, path: Path, schema: Object) -> str:
    hint = _hint(kind, path, schema)
    return f"unknown field; {hint}" if hint else "unknown field"


def _hint(kind: str, path: Path, schema: Object) -> str:
    """Return where an unknown field belongs, or the field that may be meant; "" if not known."""
    *above, last = path
    parent, name = tuple(above), str(last)
    if kind == "TestRun" and parent == ("spec",) and name in TESTRUN_HINTS:
        return TESTRUN_HINTS[name]
    pod = (*TEMPLATES[kind], "spec")
    container = (*pod, "containers", 0)
    if len(parent) <= len(container):
        if parent != pod and name in _at(schema, pod):
            return f"put it under {path_text((*pod, name))}"
        if parent != container and name in _at(schema, container):
            which = ", in the container named test" if kind == "TestRun" else ""
            return f"put it under {path_text(pod)}.containers{which}"
    similar = difflib.get_close_matches(name, _at(schema, parent), n=1)
    return f"did you mean {similar[0]}?" if similar else ""


def _at(schema: Object, path: Path) -> Mapping[str, Any]:
    """Return the fields that an object at this path has, by name."""
    for part in path:
        found = schema.get("items") if isinstance(part, int) else _property(schema, part)
        schema = found or {}
    properties: Object = schema.get("properties", {})
    return properties


def _property(schema: Object, name: str) -> Any:
    return schema.get("properties", {}).get(name) or schema.get("additionalProperties")
