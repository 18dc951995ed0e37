"""What a process of this machine cannot have, and what it does not get."""

from typing import Any

import pytest

from sparktest.devcluster.pod_features import DEFAULT_TOLERATIONS, ignored_fields, unsupported

COMMAND = {"name": "test", "image": "busybox:1.35", "command": ["true"]}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    common = {"serviceAccountName": "default", "tolerations": DEFAULT_TOLERATIONS}
    return {"spec": common | {"containers": [COMMAND | (container or {})]} | spec}


@pytest.mark.parametrize(
    ("own", "what"),
    [
        (
            pod({"command": [], "args": ["x"]}),
            "run container test without a command: the image busybox:1.35, which names its entry "
            "point, is not pulled",
        ),
        (
            pod(initContainers=[{"name": "init", "image": "git"}]),
            "run container init without a command: the image git, which names its entry point, is "
            "not pulled",
        ),
        (
            pod({"resources": {"limits": {"cpu": "1", "nvidia.com/gpu": 1}}}),
            "give container test the resource nvidia.com/gpu",
        ),
        (
            pod({"volumeDevices": [{"name": "d", "devicePath": "/dev/x"}]}),
            "give container test the device /dev/x",
        ),
        (pod(resourceClaims=[{"name": "gpu"}]), "give a pod the devices of resourceClaims"),
        (
            pod(
                {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}],
            ),
            "mount volume data (persistentVolumeClaim)",
        ),
        (
            pod(
                {"volumeMounts": [{"name": "t", "mountPath": "/t"}]},
                volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {}}]}}],
            ),
            "mount volume t (serviceAccountToken)",
        ),
    ],
)
def test_what_a_process_cannot_have_is_named_with_the_way_out(
    own: dict[str, Any], what: str
) -> None:
    message = f"the dev cluster cannot {what}; run on a real cluster: sparktest up --context NAME"
    assert unsupported(own) == message


@pytest.mark.parametrize(
    "own",
    [
        pod(),
        pod({"image": "simulate/oom", "command": None}),
        pod({"resources": {"limits": {"cpu": 1, "memory": 1, "ephemeral-storage": 1}}}),
        pod(volumes=[{"name": "data", "nfs": {}}]),
        pod(hostNetwork=True),
    ],
    ids=["command", "simulated", "limits", "not mounted", "host network"],
)
def test_what_a_process_can_have_or_may_lack_is_no_obstacle(own: dict[str, Any]) -> None:
    assert unsupported(own) == ""


def test_only_the_image_of_a_plain_pod_is_ignored() -> None:
    assert ignored_fields(pod()) == ["image"]


def test_ignored_fields_are_those_of_pod_and_containers_without_defaults() -> None:
    own = pod(
        {"securityContext": {"runAsUser": 1}, "ports": [], "resources": {"limits": {"cpu": 1}}},
        affinity={"podAffinity": {}},
        securityContext={},
        tolerations=[*DEFAULT_TOLERATIONS, {"operator": "Exists"}],
        serviceAccountName="robot",
    )
    assert ignored_fields(own) == [
        "image",
        "affinity",
        "resources",
        "securityContext",
        "the token of its ServiceAccount",
        "tolerations",
    ]


def test_a_pod_of_simulated_images_ignores_nothing() -> None:
    assert ignored_fields(pod({"image": "simulate/creating"}, nodeSelector={"a": "b"})) == []
