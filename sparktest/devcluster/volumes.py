"""The volumes of a pod, as folders in the pod's folder, and where its containers see them."""

import os
import shutil
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sparktest.devcluster.environment import ConfigError, Lookup, downward_value, expand, read_all
from sparktest.devcluster.objects import all_containers, mounted_volumes
from sparktest.devcluster.pod_validation import FILE_SOURCES
from sparktest.devcluster.stored_objects import Object

# The variable with the path of a volume: its name in capitals, with _ for -.
VARIABLE = "SPARKTEST_VOLUME_"
FOLDER = ".volumes"
FILE_MODE = 0o644
# The kubelet mounts these read-only.
READ_ONLY = (*FILE_SOURCES, "projected")
# A file of a volume: its path in the volume, its content and its mode.
File = tuple[str, bytes, int]


class VolumeError(Exception):
    """Volumes cannot be set up yet; `args` are the kubelet's messages, one for each volume."""


class Mount(msgspec.Struct, frozen=True):
    """A folder or file of this machine, and where a container sees it."""

    source: str
    target: str
    read_only: bool = False


def create_volumes(pod: Object, root: Path, lookup: Lookup) -> None:
    """Create and fill the folders of the volumes that the pod's containers mount.

    Raises:
        VolumeError: something that a volume refers to does not exist.
    """
    contents: dict[Path, list[File]] = {}
    errors = []
    for volume in mounted_volumes(pod["spec"], all_containers(pod["spec"])):
        try:
            if "hostPath" in volume:
                _check_host_path(volume["hostPath"])
            else:
                contents[_path(volume, root)] = list(_files(volume, pod, lookup))
        except (ConfigError, OSError, ValueError) as error:
            errors.append(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}')
    if errors:
        raise VolumeError(*errors)
    for folder, files in contents.items():
        # A part may be left of an attempt that failed.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        for name, data, mode in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(mode)


def container_mounts(
    container: Object, pod: Object, root: Path, variables: dict[str, str]
) -> list[Mount]:
    """Return the mounts of a container, outer paths first; create folders of a `subPath`.

    Raises:
        ConfigError: a `subPathExpr` refers to a variable that is not set.
    """
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    found = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes[mount["name"]]
        source = _path(volume, root) / _sub_path(mount, variables)
        if not source.exists():
            source.mkdir(parents=True)
        read_only = mount.get("readOnly", False) or any(kind in volume for kind in READ_ONLY)
        target = os.path.normpath(f"/{mount['mountPath'].lstrip('/')}")
        found.append(Mount(str(source), target, read_only))
    return sorted(found, key=lambda mount: mount.target.count("/"))


def volume_variables(container: Object, pod: Object, root: Path) -> dict[str, str]:
    """Return the variables with the paths of the volumes that a container mounts."""
    return {
        VARIABLE + volume["name"].upper().replace("-", "_"): str(_path(volume, root))
        for volume in mounted_volumes(pod["spec"], [container])
    }


def host_path(path: str, mounts: list[Mount]) -> str:
    """Return the path on this machine of a path in a container; it is the same outside mounts."""
    path = os.path.normpath(path)
    for mount in reversed(mounts):
        if path == mount.target or path.startswith(f"{mount.target.rstrip('/')}/"):
            return os.path.normpath(f"{mount.source}/{path[len(mount.target) :]}")
    return path


def _path(volume: Object, root: Path) -> Path:
    if "hostPath" in volume:
        return Path(volume["hostPath"]["path"])
    return root / FOLDER / str(volume["name"])


def _sub_path(mount: Object, variables: dict[str, str]) -> str:
    expression = mount.get("subPathExpr")
    return expand(expression, variables, strict=True) if expression else mount.get("subPath", "")


def _check_host_path(source: Object) -> None:
    """Raise ConfigError if the path is missing or is no folder as wanted; create it if asked to."""
    path, kind = Path(source["path"]), source.get("type", "")
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch()
    if not (path.is_dir if kind == "Directory" else path.exists)():
        what = "a directory" if kind == "Directory" else "there"
        raise ConfigError(f"hostPath type check failed: {path} is not {what}")


def _files(volume: Object, pod: Object, lookup: Lookup) -> Iterator[File]:
    """Yield the files of a volume; none for an emptyDir."""
    projected = volume.get("projected")
    for source in [volume] if projected is None else projected.get("sources") or ():
        for kind in FILE_SOURCES:
            if kind in source:
                given = source[kind] if projected is None else projected
                mode = given.get("defaultMode", FILE_MODE)
                yield from _source_files(kind, source[kind], mode, pod, lookup)


def _source_files(
    kind: str, source: Object, mode: int, pod: Object, lookup: Lookup
) -> Iterator[File]:
    items: list[Object] | None = source.get("items")
    if kind == "downwardAPI":
        for item in items or ():
            name = (item.get("resourceFieldRef") or {}).get("containerName")
            own = next((each for each in all_containers(pod["spec"]) if each["name"] == name), {})
            text = downward_value(item, pod, own, whole=True)
            yield item["path"], text.encode(), item.get("mode", mode)
        return
    data = _data(kind, source, lookup)
    every: list[Object] = [{"key": key, "path": key} for key in data]
    for item in every if items is None else items:
        if item["key"] in data:
            yield item["path"], data[item["key"]], item.get("mode", mode)
        elif not source.get("optional"):
            lead = "configmap references non-existent config" if kind == "configMap" else ""
            lead = lead or "references non-existent secret"
            raise ConfigError(f"{lead} key: {item['key']}")


def _data(kind: str, source: Object, lookup: Lookup) -> dict[str, bytes]:
    """Return the content of a ConfigMap or Secret."""
    kind = "ConfigMap" if kind == "configMap" else "Secret"
    name = source.get("secretName") or source.get("name", "")
    text = read_all(kind, {**source, "name": name}, lookup)
    data = {key: value.encode(errors="surrogateescape") for key, value in text.items()}
    binary = (lookup(kind, name) or {}).get("binaryData") or {}
    return data | {key: b64decode(value) for key, value in binary.items()}
