"""The defaults of a pod: what they add, and what they leave alone."""

from typing import Any

import pytest

from sparktest.kube.jobs import build_job
from sparktest.kube.pod_defaults import with_defaults
from tests.kube.test_jobs import a_run


def test_a_silent_pod_gets_every_default() -> None:
    pod = with_defaults({"containers": [{"name": "test"}]}, restricted=False)
    assert pod == {
        "automountServiceAccountToken": False,
        "containers": [{"name": "test", "securityContext": {"allowPrivilegeEscalation": False}}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 10,
    }


def test_a_restricted_pod_conforms_in_every_container() -> None:
    containers = {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "c"}]}
    pod = with_defaults(containers, restricted=True)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod["initContainers"] + pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        {"seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}},
        {"seccompProfile": {"type": "Unconfined"}, "runAsNonRoot": False, "runAsUser": 0},
    ],
)
def test_what_the_pod_says_stays(said: dict[str, Any], restricted: bool) -> None:
    pod = {
        "securityContext": said,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": True,
        "containers": [],
    }
    found = with_defaults(pod, restricted=restricted)
    assert found["securityContext"].items() >= said.items()
    assert {**found, "securityContext": said} == pod


@pytest.mark.parametrize(
    "said",
    [
        {"privileged": True},
        {"capabilities": {"add": ["CAP_SYS_ADMIN"]}},
        {"allowPrivilegeEscalation": True},
    ],
)
def test_a_container_that_needs_privileges_keeps_them(said: dict[str, Any]) -> None:
    pod = with_defaults({"containers": [{"name": "a", "securityContext": said}]}, restricted=False)
    assert pod["containers"][0]["securityContext"] == said


def test_a_restricted_container_may_still_add_a_capability() -> None:
    said = {"capabilities": {"add": ["NET_BIND_SERVICE"]}}
    pod = with_defaults({"containers": [{"name": "a", "securityContext": said}]}, restricted=True)
    assert pod["containers"][0]["securityContext"]["capabilities"] == {
        "add": ["NET_BIND_SERVICE"],
        "drop": ["ALL"],
    }


def test_a_restricted_container_that_drops_capabilities_itself_keeps_its_list() -> None:
    said = {"capabilities": {"drop": ["NET_RAW"]}}
    pod = with_defaults({"containers": [{"name": "a", "securityContext": said}]}, restricted=True)
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["NET_RAW"]}


def test_the_container_that_clones_a_repository_is_restricted_too() -> None:
    run = a_run(git={"url": "https://git.example/shop.git"})
    (clone,) = build_job(run, restricted=True)["spec"]["template"]["spec"]["initContainers"]
    assert (
        clone["securityContext"].items()
        >= {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}.items()
    )


def test_a_pod_for_windows_gets_no_default_that_kubernetes_refuses_there() -> None:
    pod: dict[str, Any] = {"os": {"name": "windows"}, "containers": [{"name": "test"}]}
    assert "securityContext" not in with_defaults(pod, restricted=False)
    restricted = with_defaults(pod, restricted=True)
    assert restricted["securityContext"] == {"runAsNonRoot": True}
    assert restricted["containers"] == [{"name": "test"}]


@pytest.mark.parametrize(("account", "mounted"), [(None, False), ("", False), ("tester", True)])
def test_a_token_is_mounted_only_for_a_named_service_account(
    account: str | None, mounted: bool
) -> None:
    pod: dict[str, Any] = {"serviceAccountName": account, "containers": []}
    assert with_defaults(pod, restricted=False)["automountServiceAccountToken"] is mounted
