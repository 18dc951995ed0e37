"""What can change in a TestRun's spec and status, on a real cluster."""

from typing import Any

import pytest

from sparktest.errors import InvalidError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from tests.crd.conftest import IMAGE, UUID, manifest
from tests.real_cluster import dry_patch, kubectl

pytestmark = pytest.mark.e2e

FULL: dict[str, dict[str, Any]] = {
    "by-id": {"definitionId": UUID, "env": {"A": "b"}},
    "by-name": {"definitionName": "none of this name"},
    "shell": IMAGE | {"commands": ["true"], "timeoutSeconds": 60, "ttlSecondsAfterFinished": 0},
    "exec": IMAGE
    | {
        "command": ["true"],
        "args": ["a"],
        "env": {"A": "b"},
        "envFrom": [{"secretRef": {"name": "s"}}],
        "resources": {"limits": {"cpu": "1"}},
        "serviceAccountName": "tester",
        "imagePullSecrets": [{"name": "pull"}],
    },
    "template": {
        "git": {"url": "https://example.com/a.git", "ref": "main"},
        "template": {
            "spec": {"nodeName": "a", "containers": [{"name": "c", "tty": True, "stdin": False}]}
        },
    },
}


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "tty": True, "stdin": False, **fields}]}}


@pytest.fixture(scope="module")
def created(cluster: Cluster, namespace: str) -> str:
    """The namespace, with a TestRun for every spec of FULL."""
    for name, spec in FULL.items():
        cluster.create(TESTRUNS, namespace, manifest(spec, name=name))
    return namespace


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("by-id", "definitionId", UUID.replace("0", "1")),
        ("by-id", "env", {"A": "c"}),
        ("by-id", "env", {"B": "c"}),
        ("by-id", "env", None),
        ("by-id", "timeoutSeconds", 5),
        ("by-name", "definitionName", "another"),
        ("shell", "image", "busybox:1.36"),
        ("shell", "commands", ["false"]),
        ("shell", "commands", ["true", "true"]),
        ("shell", "commands", None),
        ("shell", "timeoutSeconds", 61),
        ("shell", "timeoutSeconds", None),
        ("shell", "ttlSecondsAfterFinished", 1),
        ("exec", "command", ["false"]),
        ("exec", "args", None),
        ("exec", "envFrom", [{"secretRef": {"name": "t"}}]),
        ("exec", "envFrom", None),
        ("exec", "resources", {"limits": {"cpu": "2"}}),
        ("exec", "resources", None),
        ("exec", "serviceAccountName", "other"),
        ("exec", "imagePullSecrets", []),
        ("exec", "git", {"url": "https://example.com/a.git"}),
        ("exec", "template", {}),
        ("template", "git", {"ref": "v1"}),
        ("template", "git", None),
        ("template", "template", {"spec": {"nodeName": "b"}}),
        ("template", "template", {"spec": {"nodeName": None}}),
        ("template", "template", {"metadata": {"labels": {"a": "b"}}}),
        ("template", "template", container(tty=False)),
        ("template", "template", container(env=[])),
        ("template", "template", {"spec": {"containers": []}}),
    ],
)
def test_what_runs_cannot_change_and_the_message_names_the_field(
    cluster: Cluster, created: str, name: str, field: str, value: Any
) -> None:
    with pytest.raises(InvalidError, match=f"{field} cannot change .*create another TestRun"):
        dry_patch(cluster, created, name, {"spec": {field: value}})


def test_a_definition_cannot_become_an_image(cluster: Cluster, created: str) -> None:
    spec = {"definitionId": None, "env": None, "image": "busybox:1.35"}
    with pytest.raises(InvalidError, match="definitionId cannot change"):
        dry_patch(cluster, created, "by-id", {"spec": spec})


def test_an_update_that_changes_nothing_in_the_spec_is_accepted(
    cluster: Cluster, created: str
) -> None:
    for name, spec in FULL.items():
        patch = {"metadata": {"labels": {"team": "a"}, "finalizers": ["x.y/z"]}, "spec": spec}
        assert dry_patch(cluster, created, name, patch)["spec"] == spec


def test_a_run_is_cancelled_once_and_for_all(cluster: Cluster, namespace: str) -> None:
    for name, before in (("unset", {}), ("false", {"cancelled": False})):
        cluster.create(TESTRUNS, namespace, manifest(FULL["by-name"] | before, name=name))
        assert dry_patch(cluster, namespace, name, {"spec": {"cancelled": False}})
        cancel = {"spec": {"cancelled": True}}
        patched = cluster.patch(TESTRUNS, namespace, name, cancel)
        assert patched["spec"]["cancelled"] is True
        assert dry_patch(cluster, namespace, name, cancel)
        for back in (False, None):
            with pytest.raises(InvalidError, match="cancelled cannot be undone"):
                dry_patch(cluster, namespace, name, {"spec": {"cancelled": back}})


STATUS: dict[str, Any] = {
    "phase": "TimedOut",
    "runId": UUID,
    "jobName": "testrun-a-0b0e6a4c",
    "observedGeneration": 1,
    "reason": "DeadlineExceeded",
    "message": "m" * 100_000,
    "startedAt": "2026-01-01T00:00:00Z",
    "finishedAt": "2026-01-01T00:01:12.5Z",
    "duration": "1m12s",
    "failure": {"class": "timeout", "reason": "DeadlineExceeded", "message": "", "exitCode": 137},
    "conditions": [
        {
            "type": "Finished",
            "status": "True",
            "reason": "TimedOut",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:01:12Z",
            "observedGeneration": 1,
        }
    ],
}


def test_a_whole_status_is_kept_and_a_spec_sent_with_it_is_not(
    cluster: Cluster, namespace: str
) -> None:
    cluster.create(TESTRUNS, namespace, manifest(FULL["by-name"], name="status", status=STATUS))
    assert "status" not in cluster.get(TESTRUNS, namespace, "status")
    body = {"status": STATUS, "spec": {"definitionName": "other"}}
    patched = cluster.patch(TESTRUNS, namespace, "status", body, subresource="status")
    assert patched["status"] == STATUS
    assert patched["spec"] == FULL["by-name"]
    assert patched["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Pass"},
        {"startedAt": "yesterday"},
        {"failure": {"class": "other", "reason": "x"}},
        {"failure": {"class": "test"}},
        {"conditions": [{"type": "Finished", "status": "True"}]},
        {"conditions": [STATUS["conditions"][0]] * 2},
        {"conditions": [STATUS["conditions"][0] | {"status": "Yes"}]},
    ],
)
def test_a_status_outside_the_words_of_the_contract_is_refused(
    cluster: Cluster, created: str, status: dict[str, Any]
) -> None:
    with pytest.raises(InvalidError):
        cluster.patch(TESTRUNS, created, "by-name", {"status": status}, subresource="status")


def test_kubectl_shows_the_columns_of_the_contract(cluster: Cluster, created: str) -> None:
    status = {"status": STATUS | {"message": ""}}
    cluster.patch(TESTRUNS, created, "shell", status, subresource="status")
    wide = kubectl("-n", created, "get", "strun", "-o", "wide").splitlines()
    narrow_columns = ["NAME", "PHASE", "DEFINITION", "REASON", "DURATION", "AGE"]
    assert wide[0].split() == [*narrow_columns, "CLASS", "EXIT", "CODE", "RUN", "JOB"]
    rows = {line.split()[0]: line for line in wide[1:]}
    assert UUID in rows["by-id"]
    assert "none of this name" in rows["by-name"]
    for shown in ("TimedOut", "busybox:1.35", "DeadlineExceeded", "1m12s", "testrun-a-0b0e6a4c"):
        assert shown in rows["shell"]
    narrow = kubectl("-n", created, "get", "testruns.sparktest.dev").splitlines()
    assert narrow[0].split() == narrow_columns
