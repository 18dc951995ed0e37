"""Merge pod templates (partial PodTemplateSpecs), and find their test container. Pure.

Every function takes a template as it is written in YAML: `{"metadata": …, "spec": …}`, both
optional. None of them changes its arguments.
"""

from collections.abc import Mapping
from typing import Any

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
# A second key where the entries of one list may share the first, and its default.
SECOND_KEYS = {
    "ports": ("protocol", "TCP"),
    "topologySpreadConstraints": ("whenUnsatisfiable", "DoNotSchedule"),
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
    """Return the entries of both; an entry of the parent merges with at most one of the child.

    So entries of one list with the same key, such as a port for TCP and UDP, all stay. Where the
    parent has several, that with the same second key merges, or else the last: of two variables
    with the same name, Kubernetes uses the later one.
    """
    merged = list(parent)
    positions: dict[Any, int] = {}
    for index, entry in enumerate(parent):
        positions |= dict.fromkeys(_merge_keys(name, entry), index)
    taken: set[int] = set()
    for entry in child:
        found = (positions[key] for key in _merge_keys(name, entry) if key in positions)
        position = next(found, None)
        if position is None or position in taken:
            merged.append(entry)
            continue
        taken.add(position)
        replaced = name in REPLACED_ENTRIES
        merged[position] = entry if replaced else merge_templates(merged[position], entry)
    return merged


def _merge_keys(name: str, entry: Any) -> list[tuple[str | int, ...]]:
    """Return the keys of a list's entry, the most specific first; [] if it has none."""
    key = entry.get(MERGE_KEYS[name]) if isinstance(entry, Mapping) else None
    if not isinstance(key, str | int):
        return []
    second = SECOND_KEYS.get(name)
    return [(key, text(entry, second[0]) or second[1]), (key,)] if second else [(key,)]


def normalize_template(template: Mapping[str, Any]) -> Object:
    """Return the template without what Kubernetes itself wrote into a Job's template.

    The deprecated `serviceAccount` becomes `serviceAccountName`, so that layers with either merge.
    """
    normalized = dict(template)
    if isinstance(template.get("metadata"), Mapping):
        metadata = _without_job_metadata(template["metadata"])
        normalized = {**normalized, "metadata": metadata}
        if not metadata:
            del normalized["metadata"]
    spec = template.get("spec")
    if isinstance(spec, Mapping) and "serviceAccount" in spec:
        renamed = {"serviceAccountName": spec["serviceAccount"], **spec}
        del renamed["serviceAccount"]
        normalized["spec"] = renamed
    return normalized


def _without_job_metadata(metadata: Mapping[str, Any]) -> Object:
    kept = {name: value for name, value in metadata.items() if value is not None}
    if isinstance(kept.get("labels"), Mapping):
        labels = kept["labels"].items()
        kept["labels"] = {key: value for key, value in labels if key not in JOB_LABELS}
    return {name: value for name, value in kept.items() if value != {}}


def test_container(template: Mapping[str, Any]) -> Object | None:
    """Return the container that runs the test; None if that is ambiguous.

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
