"""The volumes of pods: what is in them, and where containers find them."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster.environment import ConfigError
from sparktest.devcluster.volumes import (
    Mount,
    VolumeError,
    container_mounts,
    create_volumes,
    host_path,
    volume_variables,
)

OBJECTS = {
    ("ConfigMap", "c"): {
        "data": {"a.txt": "one", "b": "two"},
        "binaryData": {"raw": b64encode(b"\xff\x00").decode()},
    },
    ("Secret", "s"): {"data": {"token": b64encode(b"\xfe!").decode()}},
}


def pod(*volumes: dict[str, Any], **mount: Any) -> dict[str, Any]:
    """Return a pod that mounts all of its volumes, the first one with more fields."""
    named = [{"name": f"v-{number}", **volume} for number, volume in enumerate(volumes)]
    mounts: list[dict[str, Any]] = [
        {"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in named
    ]
    mounts[0] |= mount
    return {
        "metadata": {"name": "p", "labels": {"b": 'say "x"', "a": "1"}},
        "spec": {"volumes": named, "containers": [{"name": "test", "volumeMounts": mounts}]},
    }


def created(root: Path, *volumes: dict[str, Any]) -> Path:
    """Create the volumes; return the folder of the first one."""
    create_volumes(pod(*volumes), root, lambda kind, name: OBJECTS.get((kind, name)))
    return root / ".volumes" / "v-0"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_config_map_is_a_file_for_each_key(tmp_path: Path) -> None:
    folder = created(tmp_path, {"configMap": {"name": "c", "defaultMode": 0o640}})
    assert contents(folder) == {"a.txt": b"one", "b": b"two", "raw": b"\xff\x00"}
    assert mode(folder / "b") == 0o640


def test_a_secret_keeps_its_bytes(tmp_path: Path) -> None:
    folder = created(tmp_path, {"secret": {"secretName": "s"}})
    assert contents(folder) == {"token": b"\xfe!"}
    assert mode(folder / "token") == 0o644


def test_items_choose_keys_paths_and_modes(tmp_path: Path) -> None:
    items = [{"key": "b", "path": "sub/x.sh", "mode": 0o755}]
    folder = created(tmp_path, {"configMap": {"name": "c", "items": items}})
    assert contents(folder) == {"sub/x.sh": b"two"}
    assert mode(folder / "sub/x.sh") == 0o755


def test_a_projected_volume_has_the_files_of_all_its_sources(tmp_path: Path) -> None:
    labels = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    sources = [
        {"configMap": {"name": "c", "items": [{"key": "b", "path": "b"}]}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [labels]}},
    ]
    folder = created(tmp_path, {"projected": {"sources": sources, "defaultMode": 0o600}})
    assert contents(folder) == {"b": b"two", "token": b"\xfe!", "labels": b'a="1"\nb="say \\"x\\""'}
    assert mode(folder / "token") == 0o600


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"projected": {"sources": [{"secret": {"name": "none"}}]}}, 'secret "none" not found'),
        (
            {"configMap": {"name": "c", "items": [{"key": "x", "path": "x"}]}},
            "configmap references non-existent config key: x",
        ),
        (
            {"secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}},
            "references non-existent secret key: x",
        ),
        (
            {"hostPath": {"path": "/dev/null", "type": "Directory"}},
            "hostPath type check failed: /dev/null is not a directory",
        ),
    ],
)
def test_a_missing_source_is_named_as_the_kubelet_names_it(
    tmp_path: Path, volume: dict[str, Any], words: str
) -> None:
    with pytest.raises(VolumeError) as caught:
        created(tmp_path, volume)
    assert caught.value.args == (f'MountVolume.SetUp failed for volume "v-0" : {words}',)


def test_a_file_can_have_a_limit_of_a_container(tmp_path: Path) -> None:
    reference = {"containerName": "test", "resource": "limits.memory", "divisor": "1Ki"}
    own = pod({"downwardAPI": {"items": [{"path": "memory", "resourceFieldRef": reference}]}})
    own["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Mi"}}
    create_volumes(own, tmp_path, lambda *_: None)
    assert contents(tmp_path / ".volumes" / "v-0") == {"memory": b"1024"}


def test_a_missing_optional_source_leaves_an_empty_folder(tmp_path: Path) -> None:
    items = [{"key": "b", "path": "b"}, {"key": "x", "path": "x"}]
    volumes: list[dict[str, Any]] = [
        {"configMap": {"name": "none", "optional": True}},
        {"configMap": {"name": "c", "optional": True, "items": items}},
    ]
    assert contents(created(tmp_path, *volumes)) == {}
    assert contents(tmp_path / ".volumes" / "v-1") == {"b": b"two"}


def test_a_volume_that_no_container_mounts_needs_nothing(tmp_path: Path) -> None:
    own = pod({"configMap": {"name": "none"}})
    own["spec"]["containers"][0]["volumeMounts"] = []
    create_volumes(own, tmp_path, lambda *_: None)
    assert not (tmp_path / ".volumes").exists()


def test_volumes_can_be_created_again_after_a_failure(tmp_path: Path) -> None:
    volume = {"configMap": {"name": "c", "defaultMode": 0o400}}
    created(tmp_path, volume)
    assert contents(created(tmp_path, volume))["b"] == b"two"


def test_a_host_path_is_the_path_itself(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    own = pod({"hostPath": {"path": str(shared), "type": "DirectoryOrCreate"}})
    create_volumes(own, tmp_path / "pod", lambda *_: None)
    assert shared.is_dir()
    variables = volume_variables(own["spec"]["containers"][0], own, tmp_path / "pod")
    assert variables == {"SPARKTEST_VOLUME_V_0": str(shared)}


@pytest.mark.parametrize(
    "mount", [{"subPath": "a/b"}, {"subPathExpr": "$(A)/b"}], ids=["plain", "expression"]
)
def test_a_sub_path_is_created_and_mounted(tmp_path: Path, mount: dict[str, str]) -> None:
    own = pod({"emptyDir": {}}, mountPath="/work/", **mount)
    (found,) = container_mounts(own["spec"]["containers"][0], own, tmp_path, {"A": "a"})
    assert found == Mount(str(tmp_path / ".volumes/v-0/a/b"), "/work")
    assert Path(found.source).is_dir()


def test_a_sub_path_with_an_unknown_variable_is_an_error(tmp_path: Path) -> None:
    own = pod({"emptyDir": {}}, subPathExpr="$(NOPE)")
    with pytest.raises(ConfigError, match="missing value for NOPE"):
        container_mounts(own["spec"]["containers"][0], own, tmp_path, {})


def test_outer_mounts_come_first_and_files_are_read_only(tmp_path: Path) -> None:
    own = pod({"configMap": {"name": "c"}}, {"emptyDir": {}}, mountPath="/v-1/config")
    found = container_mounts(own["spec"]["containers"][0], own, tmp_path, {})
    assert [(mount.target, mount.read_only) for mount in found] == [
        ("/v-1", False),
        ("/v-1/config", True),
    ]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/work", "/volumes/w"),
        ("/work/src/", "/volumes/w/src"),
        ("/work/config/x", "/volumes/c/x"),
        ("/workshop", "/workshop"),
        ("/tmp", "/tmp"),
    ],
)
def test_a_path_inside_a_mount_has_its_own_path_on_the_host(path: str, found: str) -> None:
    mounts = [Mount("/volumes/w", "/work"), Mount("/volumes/c", "/work/config")]
    assert host_path(path, mounts) == found
