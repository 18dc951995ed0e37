"""Defaults and validation of built-in kinds by the server."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.devcluster.client import JOBS, MAPS, MERGE, PODS, STRATEGIC, Client, config_map, job

Change = Callable[[dict[str, Any]], Any]


def pod(title: str, **container: Any) -> dict[str, Any]:
    own = {"name": "a", "image": "busybox:1.35"} | container
    return {"metadata": {"name": title}, "spec": {"containers": [own]}}


def test_a_pod_gets_requests_from_its_limits_and_default_tolerations(client: Client) -> None:
    limits = {"memory": "1Gi", "cpu": "1"}
    given = {"limits": limits, "requests": {"cpu": "10m"}}
    spec = client.create(PODS, pod("a", image="simulate/creating", resources=given))["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"memory": "1Gi", "cpu": "10m"}
    assert {toleration["tolerationSeconds"] for toleration in spec["tolerations"]} == {300}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (pod("a", name="A_b"), "RFC 1123 label"),
        (pod("a", image=""), "spec.containers[0].image: Required value"),
        ({"metadata": {"name": "a"}}, "spec.containers: Required value"),
    ],
)
def test_an_invalid_pod_is_rejected(client: Client, body: Any, message: str) -> None:
    reply = client.call("POST", PODS, body)
    assert reply.code == 422
    assert message in reply.body["message"]


def test_a_job_that_mounts_an_unknown_volume_is_rejected(client: Client) -> None:
    body = job("a", volumeMounts=[{"name": "x", "mountPath": "/x"}])
    reply = client.call("POST", JOBS, body)
    assert (reply.code, reply.body["message"]) == (
        422,
        'Job.batch "a" is invalid: spec.template.spec.containers[0].volumeMounts[0].name: '
        'Not found: "x"',
    )


def test_an_unknown_field_deep_in_a_job_is_named_with_its_path(client: Client) -> None:
    body = job("a", foo=1, pod={"volumes": [{"name": "v", "emptyDir": {"bar": 1}}]})
    reply = client.call("POST", f"{JOBS}?fieldValidation=Strict", body)
    assert (reply.code, reply.body["message"]) == (
        400,
        'Job in version "v1" cannot be handled as a Job: strict decoding error: unknown field '
        '"spec.template.spec.containers[0].foo", unknown field '
        '"spec.template.spec.volumes[0].emptyDir.bar"',
    )


def test_a_volume_without_a_type_is_an_empty_folder(client: Client) -> None:
    body = pod("a", image="simulate/creating")
    body["spec"]["volumes"] = [{"name": "v"}, {"name": "c", "configMap": {"name": "c"}}]
    assert client.create(PODS, body)["spec"]["volumes"] == [
        {"name": "v", "emptyDir": {}},
        {"name": "c", "configMap": {"name": "c", "defaultMode": 0o644}},
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda spec: spec["template"]["spec"].update(hostname="x"), "spec.template"),
        (lambda spec: spec.update(completions=7), "spec.completions"),
        (lambda spec: spec.pop("selector"), "spec.selector"),
        (lambda spec: spec["template"]["metadata"].pop("labels"), "spec.template.metadata.labels"),
    ],
)
def test_the_template_and_selector_of_a_job_are_immutable(
    client: Client, change: Change, field: str
) -> None:
    made = client.create(JOBS, job("a", image="simulate/creating"))
    change(made["spec"])
    reply = client.call("PUT", f"{JOBS}/a", made | {"metadata": {"name": "a"}})
    assert reply.code == 422
    assert field in [cause["field"] for cause in reply.body["details"]["causes"]]


def test_a_secret_must_be_base64(client: Client) -> None:
    path = "/api/v1/namespaces/default/secrets"
    body = {"metadata": {"name": "s"}, "data": {"key": "not base64!"}}
    assert client.call("POST", path, body).code == 422


@pytest.mark.parametrize("media_type", [MERGE, STRATEGIC])
def test_a_patch_with_unknown_fields_is_invalid_when_strict(
    client: Client, media_type: str
) -> None:
    client.create(MAPS, config_map("a"))
    path = f"{MAPS}/a?fieldValidation=Strict"
    reply = client.call("PATCH", path, {"dat": {}}, content_type=media_type)
    assert (reply.code, reply.body["reason"]) == (422, "Invalid")
    assert reply.body["message"].endswith('strict decoding error: unknown field "dat"')


def test_an_error_carries_the_warnings_too(client: Client) -> None:
    client.create(MAPS, config_map("a"))
    body = config_map("a") | {"one": 1, "two": 2}
    reply = client.call("POST", f"{MAPS}?fieldValidation=Warn", body)
    assert reply.code == 409
    warnings = ", ".join(f'299 - "unknown field \\"{name}\\""' for name in ("one", "two"))
    assert reply.headers["Warning"] == warnings
