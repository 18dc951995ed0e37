"""The template of a Job, pasted into a TestRun of a namespace that enforces `restricted`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sparktest.domain import FailureClass, Status
from sparktest.kube.resources import JOBS, NAMESPACES, TESTRUNS, Resource
from tests.e2e.stack import IMAGE, Stack
from tests.e2e.target import Target

pytestmark = pytest.mark.e2e
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SECRETS = Resource("", "v1", "secrets", "Secret")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
VOLUMES = Resource("", "v1", "persistentvolumes", "PersistentVolume")
SIZE = {"storage": "1Mi"}
SCRATCH = {"name": "scratch", "mountPath": "/scratch"}
POD: dict[str, Any] = {
    "restartPolicy": "Never",
    "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "only-tests", "operator": "Exists", "effect": "NoSchedule"}],
    "volumes": [
        {"name": "config", "configMap": {"name": "shop"}},
        {"name": "secret", "secret": {"secretName": "shop"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}},
    ],
    "initContainers": [
        {
            "name": "prepare",
            "image": IMAGE,
            "command": ["sh", "-c", "echo prepared > /scratch/page"],
            "volumeMounts": [SCRATCH],
        },
        {
            "name": "server",
            "image": IMAGE,
            "restartPolicy": "Always",
            "command": ["httpd", "-f", "-p", "8080", "-h", "/scratch"],
            "startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            "volumeMounts": [SCRATCH],
        },
    ],
    "containers": [
        {
            "name": "main",
            "image": IMAGE,
            "command": ["sh", "-ec"],
            "args": [
                "id -u; cat /config/name /secret/password; wget -qO- http://127.0.0.1:8080/page; "
                "echo kept > /disk/file; echo $TEAM"
            ],
            "env": [
                {
                    "name": "TEAM",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}},
                }
            ],
            "volumeMounts": [
                {"name": "config", "mountPath": "/config"},
                {"name": "secret", "mountPath": "/secret"},
                {"name": "disk", "mountPath": "/disk"},
            ],
        }
    ],
}


@pytest.fixture
def restricted(target: Target, own_stack: Callable[..., Stack]) -> Stack:
    """A stack whose namespace enforces `restricted`."""
    if not target.real:
        pytest.skip("the dev cluster has no Pod Security")
    if target.minor_version < 29:
        pytest.skip("native sidecars came with Kubernetes 1.29")
    stack = own_stack(SPARKTEST_POD_SECURITY="restricted")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    target.cluster.patch(NAMESPACES, None, stack.namespace, {"metadata": {"labels": labels}})
    return stack


@contextmanager
def disk(stack: Stack, folder: Path) -> Iterator[None]:
    """Create a PersistentVolume in this folder, and the claim that is bound to it."""
    folder.mkdir()
    folder.chmod(0o777)
    modes = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    source = {"capacity": SIZE, "hostPath": {"path": str(folder)}}
    volume = {"metadata": {"name": stack.namespace}, "spec": {**modes, **source}}
    bound = {"volumeName": stack.namespace, "resources": {"requests": SIZE}}
    claim = {"metadata": {"name": "disk"}, "spec": {**modes, **bound}}
    stack.cluster.create(VOLUMES, None, volume)
    try:
        stack.cluster.create(CLAIMS, stack.namespace, claim)
        yield
    finally:
        stack.cluster.delete(VOLUMES, None, stack.namespace)


def live_template(stack: Stack) -> Any:
    """Return the template of a Job as the API server has it, with all its defaults."""
    template = {"metadata": {"labels": {"team": "shop"}}, "spec": POD}
    job = {"metadata": {"name": "pasted"}, "spec": {"suspend": True, "template": template}}
    stack.cluster.create(JOBS, stack.namespace, job)
    return stack.cluster.get(JOBS, stack.namespace, "pasted")["spec"]["template"]


def test_the_template_of_a_job_runs_in_a_restricted_namespace(
    restricted: Stack, tmp_path: Path
) -> None:
    stack = restricted
    data = {"metadata": {"name": "shop"}}
    stack.cluster.create(CONFIG_MAPS, stack.namespace, {**data, "data": {"name": "shop\n"}})
    secret = {**data, "stringData": {"password": "pass\n"}}
    stack.cluster.create(SECRETS, stack.namespace, secret)
    manifest = {
        "apiVersion": TESTRUNS.api_version,
        "kind": TESTRUNS.kind,
        "metadata": {"name": "pasted"},
        "spec": {"template": live_template(stack)},
    }
    with disk(stack, tmp_path / "disk"):
        # The container of a run without a template would run as root.
        stack.apply("root", commands=["id"])
        stack.target.apply(stack.namespace, manifest)

        stack.wait_until_finished("pasted")
        run = stack.run_of("pasted")
        assert (run.status, run.failure) == (Status.SUCCEEDED, None)
        assert stack.log_of(run).split() == ["1000", "shop", "pass", "prepared", "shop"]
        assert (tmp_path / "disk" / "file").read_text() == "kept\n"

    stack.wait_until_finished("root")
    failure = stack.run_of("root").failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.CONFIG, "CreateContainerConfigError")
    assert "set template.spec.securityContext.runAsUser" in failure.message
