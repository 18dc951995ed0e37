"""Validation of a pod's containers and volumes beyond the schema, in Kubernetes' words. Pure."""

import json
import re
from collections.abc import Collection, Iterator

from sparktest.devcluster.api_errors import Cause, cause
from sparktest.devcluster.objects import dns_label_causes
from sparktest.devcluster.stored_objects import Object

# In the order in which Kubernetes looks for a second type of a volume.
VOLUME_TYPES = ("emptyDir", "hostPath", "secret", "downwardAPI", "configMap", "projected")
# Of a volume, or of a source of a projected volume.
FILE_SOURCES = ("secret", "downwardAPI", "configMap")
ENV_FIELD = re.compile(
    r"metadata\.(?:name|namespace|uid|(?:labels|annotations)\['[^']+'\])"
    r"|spec\.(?:nodeName|serviceAccountName)|status\.(?:hostIPs?|podIPs?)"
)
ENV_FIELDS = (
    '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", '
    '"spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
)


def pod_spec_causes(spec: Object, path: str) -> Iterator[Cause]:
    """Yield the errors of a pod's containers and volumes."""
    volumes: dict[str, bool] = {}
    for index, volume in enumerate(spec.get("volumes") or ()):
        where, name = f"{path}.volumes[{index}]", volume["name"]
        found = [*_name_causes(name, f"{where}.name", volumes), *_volume_causes(volume, where)]
        yield from found
        volumes[name] = not found
    # To Kubernetes, a mount of an invalid volume refers to none.
    valid = [name for name, is_valid in volumes.items() if is_valid]
    if not spec.get("containers"):
        yield cause("Required", f"{path}.containers", "Required value")
    containers: list[str] = []
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            yield from _name_causes(container["name"], f"{where}.name", containers)
            yield from _container_causes(container, where, valid)
            containers.append(container["name"])


def _name_causes(name: str, path: str, earlier: Collection[str]) -> Iterator[Cause]:
    if not name:
        yield cause("Required", path, "Required value")
    elif name in earlier:
        yield cause("Duplicate", path, f'Duplicate value: "{name}"')
    else:
        yield from dns_label_causes(path, name)


def _invalid(path: str, value: str, why: str) -> Cause:
    return cause("Invalid", path, f"Invalid value: {json.dumps(value)}: {why}")


def _volume_causes(volume: Object, path: str) -> Iterator[Cause]:
    types = [kind for kind in VOLUME_TYPES if kind in volume]
    types += sorted(volume.keys() - {*VOLUME_TYPES, "name"})
    for kind in types[1:]:
        text = "Forbidden: may not specify more than 1 volume type"
        yield cause("Forbidden", f"{path}.{kind}", text)
    yield from _item_causes(volume, path)
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        yield from _item_causes(source, f"{path}.projected.sources[{index}]")


def _item_causes(source: Object, path: str) -> Iterator[Cause]:
    """Yield the errors of the files of a volume, or of a source of a projected volume."""
    for kind in FILE_SOURCES:
        for index, item in enumerate((source.get(kind) or {}).get("items") or ()):
            where = f"{path}.{kind}" + ("" if kind == "downwardAPI" else f".items[{index}]")
            yield from _path_causes(item["path"], f"{where}.path")
            if kind == "downwardAPI" and not {"fieldRef", "resourceFieldRef"} & item.keys():
                text = "Required value: one of fieldRef and resourceFieldRef is required"
                yield cause("Required", where, text)


def _path_causes(value: str, path: str) -> Iterator[Cause]:
    """Yield the errors of a path that is relative to a volume."""
    if value.startswith("/"):
        yield _invalid(path, value, "must be a relative path")
    if ".." in value.split("/"):
        yield _invalid(path, value, "must not contain '..'")


def _container_causes(container: Object, path: str, volumes: list[str]) -> Iterator[Cause]:
    if not container.get("image"):
        yield cause("Required", f"{path}.image", "Required value")
    for index, variable in enumerate(container.get("env") or ()):
        yield from _env_causes(variable, f"{path}.env[{index}]")
    mounts = container.get("volumeMounts") or []
    for index, mount in enumerate(mounts):
        where = f"{path}.volumeMounts[{index}]"
        if mount["name"] not in volumes:
            yield cause("NotFound", f"{where}.name", f'Not found: "{mount["name"]}"')
        if mount["mountPath"] in [other["mountPath"] for other in mounts[:index]]:
            yield _invalid(f"{where}.mountPath", mount["mountPath"], "must be unique")
        for field in ("subPath", "subPathExpr"):
            # Kubernetes leaves the index out.
            yield from _path_causes(mount.get(field, ""), f"{path}.volumeMounts.{field}")


def _env_causes(variable: Object, path: str) -> Iterator[Cause]:
    source, path = variable.get("valueFrom"), f"{path}.valueFrom"
    if source == {}:
        names = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        yield _invalid(path, "", f"must specify one of: {names}")
    elif source and variable.get("value"):
        yield _invalid(path, "", "may not be specified when `value` is not empty")
    elif source and len(source) > 1:
        yield _invalid(path, "", "may not have more than one field specified at a time")
    if source and "fieldRef" in source:
        field = source["fieldRef"]["fieldPath"]
        if not ENV_FIELD.fullmatch(field):
            text = f"Unsupported value: {json.dumps(field)}: supported values: {ENV_FIELDS}"
            yield cause("NotSupported", f"{path}.fieldRef.fieldPath", text)
