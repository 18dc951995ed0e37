"""Every rule of the TestRun's schema, as the API server of a real cluster applies it."""

import re
from typing import Any

import pytest

from sparktest.errors import InvalidError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from tests.crd.conftest import IMAGE, UUID, manifest
from tests.real_cluster import dry_create

pytestmark = pytest.mark.e2e

ACCEPTED: list[dict[str, Any]] = [
    {"definitionId": UUID},
    {"definitionId": UUID.upper()},
    {"definitionName": "My smoke test (ü)"},
    {"definitionName": "n" * 200, "env": {"A": "b"}, "timeoutSeconds": 1},
    IMAGE,
    {"image": "registry.example:5000/team/image@sha256:" + "0" * 64},
    IMAGE | {"commands": ["echo $$ # comment", "a\nb", "x" * 131_071]},
    IMAGE | {"command": ["/bin/sh", ""], "args": ["", "-c"]},
    IMAGE | {"args": ["-v"]},
    IMAGE | {"env": {"A": "", "_b1": "$(X) $$ ünï", "PATH": "x" * 32768}},
    IMAGE | {"env": {}},
    IMAGE | {"env": {f"V{number}": "v" for number in range(512)}},
    IMAGE | {"env": {"spring.datasource.url": "x", "A-B": "y", "_": "z"}},
    IMAGE | {"envFrom": [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "a.b-c"}}]},
    IMAGE | {"envFrom": [{"prefix": "P_", "secretRef": {"name": "s", "optional": True}}]},
    IMAGE | {"resources": {"requests": {"cpu": 1, "memory": "64Mi"}, "limits": {"cpu": "1.5"}}},
    IMAGE | {"resources": {"limits": {"nvidia.com/gpu": 1, "memory": "1e3", "cpu": "100m"}}},
    IMAGE | {"serviceAccountName": "tester.team", "imagePullSecrets": [{"name": "pull"}]},
    IMAGE | {"timeoutSeconds": 2147483647, "ttlSecondsAfterFinished": 2147483647},
    IMAGE | {"ttlSecondsAfterFinished": 0, "cancelled": False},
    IMAGE | {"cancelled": True},
    {"template": {}},
    {"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}, "commands": ["c"]},
    IMAGE | {"template": {"spec": {"anything": [{"goes": True}]}}},
    {"definitionName": "a", "template": {"metadata": {"labels": {"a": "b"}}}},
    {"definitionId": UUID, "git": {"url": "https://example.com/a.git"}},
    IMAGE | {"commands": ["x" * 131_071] * 8},
    IMAGE | {"command": ["x" * 131_071], "args": ["x" * 131_071] * 8},
    IMAGE | {"git": {"url": "https://example.com/x.git", "ref": "v1", "path": "a b/..c"}},
    IMAGE | {"git": {"url": "git@example.com:x.git", "secretName": "key"}},
    IMAGE | {"git": {"url": "ssh://git@example.com:22/x", "ref": "refs/pull/1/head"}},
]

REFUSED: list[tuple[Any, str]] = [
    (None, "spec"),
    ({}, "one and only one schema .* give one of definitionId, definitionName and image; or"),
    (IMAGE | {"definitionName": "a"}, "2 valid alternatives.* give one of definitionId"),
    (IMAGE | {"definitionId": UUID}, "give one of definitionId"),
    ({"definitionId": UUID, "definitionName": "a"}, "give one of definitionId"),
    (IMAGE | {"definitionName": "a", "template": {}}, "give one of definitionId"),
    ({"timeoutSeconds": 5}, "give one of definitionId"),
    ({"template": "x"}, "spec.template"),
    ({"template": []}, "spec.template"),
    ({"definitionId": "not-a-uuid"}, "spec.definitionId"),
    ({"definitionId": UUID.replace("-", "")}, "spec.definitionId"),
    ({"definitionId": ""}, "spec.definitionId"),
    ({"definitionName": ""}, "spec.definitionName"),
    ({"definitionName": "  "}, "spec.definitionName"),
    ({"definitionName": "n" * 201}, "spec.definitionName"),
    ({"definitionName": 7}, "spec.definitionName"),
    ({"image": ""}, "spec.image"),
    ({"image": "busy box"}, "spec.image"),
    ({"image": "i" * 1025}, "spec.image"),
    (IMAGE | {"commands": []}, "spec.commands"),
    (IMAGE | {"commands": [""]}, "spec.commands"),
    (IMAGE | {"commands": [" \n"]}, "spec.commands"),
    (IMAGE | {"commands": "echo"}, "spec.commands"),
    (IMAGE | {"commands": ["x" * 131_072]}, "commands.0.: Too long: .* more than 131071 bytes"),
    (IMAGE | {"command": ["x" * 131_072]}, "command.0.: Too long"),
    (IMAGE | {"args": ["x", "x" * 131_072]}, "args.1.: Too long"),
    (IMAGE | {"commands": ["x"] * 257}, "spec.commands"),
    (IMAGE | {"commands": ["a"], "command": ["b"]}, "commands .* or command and args .* not both"),
    (IMAGE | {"commands": ["a"], "args": ["b"]}, "not both"),
    (IMAGE | {"command": []}, "spec.command"),
    ({"definitionName": "a", "commands": ["b"]}, "go with image or template only"),
    ({"definitionId": UUID, "command": ["b"]}, "go with image or template only"),
    ({"definitionName": "a", "args": ["b"]}, "go with image or template only"),
    (IMAGE | {"env": {"1A": ""}}, "names must consist of letters, digits"),
    (IMAGE | {"env": {"A=B": ""}}, "names must consist"),
    (IMAGE | {"env": {"A": "", "": ""}}, "names must consist"),
    (IMAGE | {"env": {"ü": ""}}, "names must consist"),
    (IMAGE | {"env": {"A\nB": ""}}, "names must consist"),
    (IMAGE | {"env": {"A\n": ""}}, "names must consist"),
    (IMAGE | {"env": {"A": 1}}, "spec.env.A"),
    (IMAGE | {"env": [{"name": "A", "value": "b"}]}, "spec.env"),
    (IMAGE | {"env": {"A": "x" * 32769}}, "spec.env"),
    (IMAGE | {"env": {f"V{number}": "v" for number in range(513)}}, "spec.env"),
    (IMAGE | {"envFrom": [{}]}, "spec.envFrom"),
    (IMAGE | {"envFrom": [{"secretRef": {}}]}, "spec.envFrom"),
    (IMAGE | {"envFrom": [{"secretRef": {"name": "Bad_Name"}}]}, "spec.envFrom"),
    (
        IMAGE | {"envFrom": [{"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}]},
        "one and only one",
    ),
    (IMAGE | {"envFrom": [{"prefix": "1", "secretRef": {"name": "a"}}]}, "prefix"),
    (IMAGE | {"resources": {"limits": {"cpu": "much"}}}, "spec.resources.limits.cpu"),
    (IMAGE | {"resources": {"limits": {"cpu": "-1"}}}, "spec.resources.limits.cpu"),
    (IMAGE | {"resources": {"limit": {"cpu": "1"}}}, "unknown field .*spec.resources.limit"),
    (IMAGE | {"serviceAccountName": "Tester"}, "spec.serviceAccountName"),
    (IMAGE | {"serviceAccountName": ""}, "spec.serviceAccountName"),
    (IMAGE | {"imagePullSecrets": [{}]}, "spec.imagePullSecrets"),
    (IMAGE | {"timeoutSeconds": 0}, "spec.timeoutSeconds"),
    (IMAGE | {"timeoutSeconds": 2147483648}, "spec.timeoutSeconds"),
    (IMAGE | {"timeoutSeconds": 1.5}, "spec.timeoutSeconds"),
    (IMAGE | {"timeoutSeconds": "60"}, "spec.timeoutSeconds"),
    (IMAGE | {"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
    (IMAGE | {"ttlSecondsAfterFinished": 2147483648}, "spec.ttlSecondsAfterFinished"),
    (IMAGE | {"cancelled": "yes"}, "spec.cancelled"),
    (IMAGE | {"git": {}}, "spec.git.url"),
    (IMAGE | {"git": {"url": "ext::sh -c id"}}, "spec.git.url"),
    (IMAGE | {"git": {"url": "--upload-pack=id"}}, "spec.git.url"),
    (IMAGE | {"git": {"url": "https://me:pass@example.com/x"}}, "name it in secretName"),
    (IMAGE | {"git": {"url": "ssh://git:pass@example.com/x"}}, "name it in secretName"),
    (IMAGE | {"git": {"url": "https://a/x", "ref": "-x"}}, "spec.git.ref"),
    (IMAGE | {"git": {"url": "https://a/x", "ref": "a:b"}}, "spec.git.ref"),
    (IMAGE | {"git": {"url": "https://a/x", "path": "/etc"}}, "spec.git.path"),
    (IMAGE | {"git": {"url": "https://a/x", "path": "a/../.."}}, "inside the repository"),
    (IMAGE | {"parallelism": 2}, "unknown field .*spec.parallelism"),
]


@pytest.mark.parametrize("spec", ACCEPTED)
def test_a_valid_spec_is_accepted_unchanged(
    cluster: Cluster, namespace: str, spec: dict[str, Any]
) -> None:
    assert dry_create(cluster, TESTRUNS, namespace, manifest(spec))["spec"] == spec


@pytest.mark.parametrize(("spec", "message"), REFUSED)
def test_an_invalid_spec_is_rejected_with_the_rule_that_it_breaks(
    cluster: Cluster, namespace: str, spec: Any, message: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        dry_create(cluster, TESTRUNS, namespace, manifest(spec))
    assert re.search(message, caught.value.detail), caught.value.detail


def test_a_testrun_without_spec_is_refused(cluster: Cluster, namespace: str) -> None:
    bare = manifest(None)
    del bare["spec"]
    with pytest.raises(InvalidError, match="spec: Required value"):
        dry_create(cluster, TESTRUNS, namespace, bare)


def test_a_name_of_253_characters_is_accepted(cluster: Cluster, namespace: str) -> None:
    made = dry_create(cluster, TESTRUNS, namespace, manifest(IMAGE, name="n" * 253))
    assert len(made["metadata"]["name"]) == 253
