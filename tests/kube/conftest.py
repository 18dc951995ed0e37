"""Fixtures: a fake API server and its client; a real cluster and a namespace in it; a clone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.kube.cluster import Cluster
from tests.e2e.program import until
from tests.kube.apiserver import Apiserver, apiserver, cluster_of
from tests.kube.cloner import Cloner
from tests.kube.real_runs import exists
from tests.real_cluster import install_crd, namespace_in, real_cluster
from tests.repositories import Repository, make_repository


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
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return make_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def clone(tmp_path: Path) -> Cloner:
    return Cloner(tmp_path)


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
