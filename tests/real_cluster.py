"""The cluster of KUBECONFIG: a client, the CRD, namespaces for tests, dry runs."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import NAMESPACES, TESTRUNS, Resource
from sparktest.settings import Settings
from tests.requirements import require_cluster, require_program

DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}


def real_cluster() -> Cluster:
    """Return a client of the cluster of KUBECONFIG."""
    return Cluster.connect(Settings(kubeconfig=require_cluster()))


def kubectl(*args: str, stdin: bytes | None = None) -> str:
    """Run kubectl and return its output; a failure fails the test."""
    command = [require_program("kubectl"), *args]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def install_crd() -> None:
    """Install the CRD of this source tree."""
    kubectl("apply", "-f", "-", stdin=(files("sparktest.crd") / "testrun.yaml").read_bytes())
    kubectl("wait", "--for=condition=Established", "crd/testruns.sparktest.dev")


@contextmanager
def namespace_in(cluster: Cluster, stem: str) -> Iterator[str]:
    """Create a namespace, yield its name, and delete it."""
    name = f"{stem}-{uuid.uuid4().hex[:8]}"
    cluster.create(NAMESPACES, None, {"metadata": {"name": name}})
    try:
        yield name
    finally:
        cluster.delete(NAMESPACES, None, name)


def dry_create(
    cluster: Cluster, resource: Resource, namespace: str, manifest: dict[str, Any]
) -> dict[str, Any]:
    """Return the object that the API server would create."""
    return cluster._transport.call("POST", resource.path(namespace), query=DRY_RUN, body=manifest)


def dry_patch(cluster: Cluster, namespace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the TestRun that this merge patch would produce."""
    return cluster._transport.call(
        "PATCH",
        TESTRUNS.path(namespace, name),
        query=DRY_RUN,
        body=body,
        content_type="application/merge-patch+json",
    )
