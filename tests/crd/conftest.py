"""A cluster with the CRD of this repository, and a namespace for each module."""

from collections.abc import Iterator
from typing import Any

import pytest

from sparktest.kube.cluster import Cluster
from tests.real_cluster import install_crd, namespace_in, real_cluster

UUID = "0b0e6a4c-1d7e-4c57-9b6a-6b1f3a0d9e11"
IMAGE = {"image": "busybox:1.35"}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    found = real_cluster()
    install_crd()
    return found


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    with namespace_in(cluster, "crd") as name:
        yield name


def manifest(spec: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    """Return the manifest of a TestRun."""
    return {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": name},
        "spec": spec,
        **more,
    }
