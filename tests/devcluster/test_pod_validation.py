"""Validation of a pod's containers and volumes, in the words of Kubernetes 1.34."""

from typing import Any

import pytest

from sparktest.devcluster.pod_validation import pod_spec_causes

EMPTY = {"name": "v", "emptyDir": {}}
CONFIG = {"name": "v", "configMap": {"name": "c"}}


def mount(**more: Any) -> dict[str, Any]:
    return {"name": "v", "mountPath": "/v"} | more


def spec(*volumes: dict[str, Any], **test: Any) -> dict[str, Any]:
    return {"volumes": list(volumes), "containers": [{"name": "test", "image": "i"} | test]}


def env(**source: Any) -> dict[str, Any]:
    return spec(env=[{"name": "A"} | source])


def item(path: str) -> dict[str, Any]:
    return {"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": path}]}}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (spec(EMPTY, EMPTY), 'volumes[1].name: Duplicate value: "v"'),
        (
            spec(EMPTY | CONFIG),
            "volumes[0].configMap: Forbidden: may not specify more than 1 volume type",
        ),
        (
            spec(item("/abs")),
            'volumes[0].configMap.items[0].path: Invalid value: "/abs": must be a relative path',
        ),
        (
            spec(item("a/../b")),
            "volumes[0].configMap.items[0].path: Invalid value: \"a/../b\": must not contain '..'",
        ),
        (
            spec({"name": "v", "downwardAPI": {"items": [{"path": "p"}]}}),
            "volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef is "
            "required",
        ),
        (spec(volumeMounts=[mount()]), 'containers[0].volumeMounts[0].name: Not found: "v"'),
        (
            spec(EMPTY, volumeMounts=[mount(), mount()]),
            'containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique',
        ),
        (
            spec(EMPTY, volumeMounts=[mount(subPath="../x")]),
            "containers[0].volumeMounts.subPath: Invalid value: \"../x\": must not contain '..'",
        ),
        (
            env(valueFrom={}),
            'containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, '
            "`resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        ),
        (
            env(value="x", valueFrom={"secretKeyRef": {}}),
            'containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` '
            "is not empty",
        ),
        (
            env(valueFrom={"secretKeyRef": {}, "configMapKeyRef": {}}),
            'containers[0].env[0].valueFrom: Invalid value: "": may not have more than one field '
            "specified at a time",
        ),
        (
            env(valueFrom={"fieldRef": {"fieldPath": "metadata.labels"}}),
            'containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels'
            '": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.'
            'nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP'
            '", "status.podIPs"',
        ),
        (spec() | {"containers": []}, "containers: Required value"),
        (spec(name=""), "containers[0].name: Required value"),
        (spec(image=""), "containers[0].image: Required value"),
        (
            spec() | {"initContainers": [{"name": "test", "image": "i"}]},
            'initContainers[0].name: Duplicate value: "test"',
        ),
    ],
)
def test_an_invalid_pod_is_rejected_with_the_path_of_the_field(
    own: dict[str, Any], message: str
) -> None:
    found = [f"{each['field']}: {each['message']}" for each in pod_spec_causes(own, "spec")]
    assert found == [f"spec.{message}"]


def test_a_pod_with_everything_is_valid() -> None:
    own = spec(
        item("a/b..c"),
        {"name": "w", "projected": {"sources": [{"secret": {"name": "s"}}]}},
        env=[
            {"name": "spring.datasource.url", "value": "x"},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}},
            {"name": "C", "value": "", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        volumeMounts=[mount(subPath="a"), mount(mountPath="/w", name="w")],
    )
    own["initContainers"] = [
        {"name": "side", "image": "i", "restartPolicy": "Always", "startupProbe": {"exec": {}}}
    ]
    assert list(pod_spec_causes(own, "spec")) == []
