"""Fixtures: a fake API server and its client; a client of a real cluster and a namespace in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.kube.cluster import Cluster
from tests.e2e.program import until
from tests.kube.apiserver import Apiserver, apiserver, cluster_of
from tests.kube.real_runs import exists
from tests.real_cluster import install_crd, namespace_in, real_cluster


@pytest.fixture
def api() -> Iterator[Apiserver]:
    with apiserver() as server:
        yield server


@pytest.fixture
def kubeconfig(api: Apiserver, tmp_path: Path) -> Path:
    return api.kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    opened = cluster_of(kubeconfig)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def real() -> Cluster:
    found = real_cluster()
    install_crd()
    return found


@pytest.fixture(scope="module")
def namespace(real: Cluster) -> Iterator[str]:
    with namespace_in(real, "kube") as name:
        # Pods are rejected until the controllers have created it.
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        until("the ServiceAccount exists", lambda: exists(real, account))
        yield name
