"""A server for each test, and the door to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.kube.cluster import Cluster
from tests.kube.apiserver import Apiserver, apiserver, cluster_of


@pytest.fixture
def api() -> Iterator[Apiserver]:
    with apiserver() as server:
        yield server


@pytest.fixture
def kubeconfig(api: Apiserver, tmp_path: Path) -> Path:
    return api.kubeconfig(tmp_path / "kubeconfig")


@pytest.fixture
def cluster(kubeconfig: Path) -> Iterator[Cluster]:
    door = cluster_of(kubeconfig)
    yield door
    door.close()
