"""Building the environment and the command of a container."""

import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from sparktest.devcluster.environment import ConfigError, build_command, build_environment, expand

OBJECTS = {
    ("Secret", "s"): {"data": {"TOKEN": b64encode(b"t").decode(), "not=name": "eA=="}},
    ("Secret", "broken"): {"data": {"A": "%"}},
    ("ConfigMap", "c"): {"data": {"A": "1", "B": "2"}},
}
POD = {
    "metadata": {"name": "p", "namespace": "n", "labels": {"app": "x"}},
    "spec": {"nodeName": "devcluster", "containers": []},
}


def built(**container: Any) -> dict[str, str]:
    return build_environment(
        {"name": "test", **container},
        POD,
        Path("/pod"),
        Path("/programs"),
        lambda kind, name: OBJECTS.get((kind, name)),
    )


def test_the_environment_of_the_user_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    found = built()
    assert set(found) == {"PATH", "HOME", "TMPDIR", "LANG", "HOSTNAME"}
    assert "canary" not in "".join(found.values())
    assert (found["HOME"], found["TMPDIR"]) == ("/pod/test", "/pod/.tmp")
    assert found["PATH"].endswith("/bin:/opt/homebrew/bin:/programs")


def test_later_variables_use_earlier_ones() -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)$(C)$$(A)"},
        {"name": "C", "value": "3"},
    ]
    found = built(env=env)
    assert (found["A"], found["B"], found["C"]) == ("1", "1$(C)$(A)", "3")


def test_secrets_and_config_maps_are_read_completely_or_by_key() -> None:
    sources = [
        {"secretRef": {"name": "s"}},
        {"prefix": "P_", "configMapRef": {"name": "c"}},
        {"secretRef": {"name": "absent", "optional": True}},
    ]
    env = [
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "B"}}},
        {"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "TOKEN"}}},
        {"name": "N", "valueFrom": {"secretKeyRef": {"name": "s", "key": "x", "optional": True}}},
    ]
    found = built(envFrom=sources, env=env)
    assert (found["TOKEN"], found["P_A"], found["B"], found["T"]) == ("t", "1", "2", "t")
    assert "N" not in found
    assert "not=name" not in found


def test_env_overrides_env_from() -> None:
    sources = [{"configMapRef": {"name": "c"}}]
    assert built(envFrom=sources, env=[{"name": "A", "value": "own"}])["A"] == "own"


def test_a_field_ref_reads_a_field_of_the_pod() -> None:
    def field(path: str) -> str:
        return built(env=[{"name": "F", "valueFrom": {"fieldRef": {"fieldPath": path}}}])["F"]

    assert field("metadata.name") == "p"
    assert field("metadata.labels['app']") == "x"
    assert field("spec.nodeName") == "devcluster"
    assert field("status.podIP") == "127.0.0.1"
    assert field("spec.serviceAccountName") == ""


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", None, "1"),
        ("limits.cpu", "1m", "500"),
        ("limits.memory", "0", str(64 * 2**20)),
        ("limits.memory", "1Mi", "64"),
        ("limits.memory", "1M", "68"),
        ("requests.cpu", None, "2"),
        ("requests.memory", "1k", "1500000"),
        ("requests.ephemeral-storage", None, "0"),
    ],
)
def test_a_resource_field_is_rounded_up_to_its_divisor(
    resource: str, divisor: str | None, value: str
) -> None:
    reference = {"resource": resource} | ({"divisor": divisor} if divisor else {})
    found = built(
        env=[{"name": "R", "valueFrom": {"resourceFieldRef": reference}}],
        resources={
            "limits": {"cpu": "500m", "memory": "64Mi"},
            "requests": {"cpu": 1.5, "memory": "1.5G"},
        },
    )
    assert found["R"] == value


def test_without_limits_a_container_may_use_all_cpus() -> None:
    reference = {"resource": "limits.cpu"}
    found = built(env=[{"name": "R", "valueFrom": {"resourceFieldRef": reference}}])
    assert found["R"] == str(os.cpu_count())


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ({"envFrom": [{"secretRef": {"name": "absent"}}]}, 'secret "absent" not found'),
        ({"envFrom": [{"configMapRef": {"name": "absent"}}]}, 'configmap "absent" not found'),
        ({"envFrom": [{"secretRef": {"name": "broken"}}]}, "base64"),
        (
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            "couldn't find key k in Secret s",
        ),
        ({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec"}}}]}, "spec"),
    ],
)
def test_a_missing_source_is_named_in_the_error(container: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("'", ".")):
        built(**container)


def test_commands_are_expanded_but_shell_variables_are_not() -> None:
    container = {"command": ["sh", "-c"], "args": ["echo $HOME $(A) $(B) $$(A)"]}
    assert build_command(container, {"A": "1"}) == ["sh", "-c", "echo $HOME 1 $(B) $(A)"]
    assert expand("$$$$ $(", {}) == "$$ $("
