"""Merge and check pod templates (partial PodTemplateSpecs), and find their test container. Pure.

Every function takes a template as it is written in YAML: `{"metadata": …, "spec": …}`, both
optional. None of them changes its arguments.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sparktest.errors import FieldError
from sparktest.kube.fields import Object, items, mapping, text

CONTAINER = "test"
# Names of containers and volumes that begin with this are SparkTest's own.
RESERVED_PREFIX = "sparktest-"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
AMBIGUOUS_CONTAINER = (
    f"the template has several containers: name the one that runs the test {CONTAINER!r}, "
    f"or name it in the annotation {DEFAULT_CONTAINER}"
)
# Lists that merge by a key, as in Kubernetes' strategic merge patch. All others are replaced.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
# Their entries are replaced whole: one with two sources would be invalid.
REPLACED_ENTRIES = ("env", "volumes")
# Set by the Job controller: in the template of a Job that was read from a cluster.
JOB_LABELS = (
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
)


def merge_templates(parent: Mapping[str, Any], child: Mapping[str, Any]) -> Object:
    """Return the parent with the fields of the child, as Kubernetes' strategic merge does.

    Maps merge by key, the lists of `MERGE_KEYS` by theirs, and everything else is replaced. What
    the child adds to a list comes after what the parent has. Nothing can be removed.
    """
    merged = dict(parent)
    for name, value in child.items():
        merged[name] = _merge_value(name, parent.get(name), value)
    return merged


def _merge_value(name: str, parent: Any, child: Any) -> Any:
    if isinstance(parent, Mapping) and isinstance(child, Mapping):
        return merge_templates(parent, child)
    if name in MERGE_KEYS and isinstance(parent, list) and isinstance(child, list):
        return _merge_lists(name, parent, child)
    return child


def _merge_lists(name: str, parent: list[Any], child: list[Any]) -> list[Any]:
    merged = list(parent)
    positions: dict[Any, int] = {}
    for index, entry in enumerate(parent):
        positions.setdefault(_merge_key(name, entry), index)
    for entry in child:
        position = positions.get(_merge_key(name, entry))
        if position is None or _merge_key(name, entry) is None:
            merged.append(entry)
        elif name in REPLACED_ENTRIES:
            merged[position] = entry
        else:
            merged[position] = merge_templates(merged[position], entry)
    return merged


def _merge_key(name: str, entry: Any) -> str | int | None:
    key = entry.get(MERGE_KEYS[name]) if isinstance(entry, Mapping) else None
    return key if isinstance(key, str | int) else None


def normalize_template(template: Mapping[str, Any]) -> Object:
    """Return the template without what Kubernetes itself wrote into a Job's template."""
    normalized = dict(template)
    metadata = {
        key: value
        for key, value in mapping(template, "metadata").items()
        if key != "creationTimestamp" and value is not None
    }
    if isinstance(metadata.get("labels"), Mapping):
        labels = metadata["labels"].items()
        metadata["labels"] = {key: value for key, value in labels if key not in JOB_LABELS}
    normalized.pop("metadata", None)
    metadata = {key: value for key, value in metadata.items() if value != {}}
    return {"metadata": metadata, **normalized} if metadata else normalized


def template_errors(template: Mapping[str, Any]) -> list[FieldError]:
    """Return why a normalized template cannot be used; Kubernetes checks the rest.

    The pointers are JSON pointers inside the template.
    """
    return list(_errors(template))


def _errors(template: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in template:
        if name not in ("metadata", "spec"):
            yield {"pointer": f"/{name}", "detail": "a template has metadata and spec only"}
    for name in ("metadata", "spec"):
        if not isinstance(template.get(name, {}), Mapping):
            yield {"pointer": f"/{name}", "detail": "must be an object"}
    for name in mapping(template, "metadata"):
        if name not in ("labels", "annotations"):
            detail = "only labels and annotations are used of a template's metadata"
            yield {"pointer": f"/metadata/{name}", "detail": detail}
    yield from _reserved_names(template)
    yield from _removals("", template)


def _reserved_names(template: Mapping[str, Any]) -> Iterator[FieldError]:
    spec = mapping(template, "spec")
    for kind in ("initContainers", "containers", "volumes"):
        entries = spec.get(kind)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and text(entry, "name").startswith(RESERVED_PREFIX):
                detail = f"names that begin with {RESERVED_PREFIX} are SparkTest's own"
                yield {"pointer": f"/spec/{kind}/{index}/name", "detail": detail}


def _removals(pointer: str, value: Any) -> Iterator[FieldError]:
    if value is None:
        yield {"pointer": pointer, "detail": "null is not allowed: leave the field out"}
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            here = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if name.startswith("$patch"):
                yield {"pointer": here, "detail": "patch directives are not allowed"}
            else:
                yield from _removals(here, entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _removals(f"{pointer}/{index}", entry)


def test_container(template: Mapping[str, Any]) -> Object | None:
    """Return the container that runs the test; None if it cannot be told.

    It is the container named `test`, else the one that the annotation
    `kubectl.kubernetes.io/default-container` names, else the only one. A template without
    containers gets one named `test`. Works for a pod, too.
    """
    containers = items(mapping(template, "spec"), "containers")
    if not containers:
        return {"name": CONTAINER}
    chosen = text(mapping(mapping(template, "metadata"), "annotations"), DEFAULT_CONTAINER)
    for name in (CONTAINER, chosen):
        for container in containers:
            if name and container.get("name") == name:
                return container
    return containers[0] if len(containers) == 1 else None


# pytest takes the name for a test.
test_container.__test__ = False  # type: ignore[attr-defined]


def container_names(template: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the containers of a run, its test container first, then in order."""
    spec = mapping(template, "spec")
    test = text(test_container(template) or {}, "name") or CONTAINER
    others = [
        text(container, "name")
        for kind in ("initContainers", "containers")
        for container in items(spec, kind)
    ]
    return (test, *(name for name in others if name and name != test))
