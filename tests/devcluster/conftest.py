"""Dev clusters for tests: a shared one with a namespace per test, or one per test."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import Client
from tests.devcluster.faults import AdjustableClock, Faults


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevCluster]:
    """A dev cluster for all tests that stay in a namespace."""
    with DevCluster.start(tmp_path_factory.mktemp("shared") / "cluster") as running:
        yield running


@pytest.fixture
def client(shared: DevCluster) -> Iterator[Client]:
    """A client with a namespace of its own on the shared dev cluster."""
    made = Client(shared)
    body = {"metadata": {"generateName": "test-"}}
    made.namespace = made.create("/api/v1/namespaces", body)["metadata"]["name"]
    yield made
    made.delete(f"/api/v1/namespaces/{made.namespace}")
    made.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DevCluster]:
    """A dev cluster that belongs to one test."""
    with DevCluster.start(tmp_path / "cluster", clock=AdjustableClock()) as running:
        yield running


@pytest.fixture
def faults(cluster: DevCluster) -> Iterator[Faults]:
    """The faults of the dev cluster that belongs to one test."""
    made = Faults(cluster)
    yield made
    made.clear()


@pytest.fixture
def own(cluster: DevCluster) -> Iterator[Client]:
    """A client of the dev cluster that belongs to one test."""
    made = Client(cluster)
    yield made
    made.close()


@pytest.fixture(scope="session")
def testrun_cluster(
    tmp_path_factory: pytest.TempPathFactory, testrun_crd: Any
) -> Iterator[DevCluster]:
    """A dev cluster that serves TestRuns, for tests that stay in a namespace."""
    with DevCluster.start(tmp_path_factory.mktemp("testruns") / "cluster") as running:
        maker = Client(running)
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        maker.create(path, testrun_crd)
        maker.close()
        yield running


@pytest.fixture
def namespace(testrun_cluster: DevCluster) -> Iterator[str]:
    """A namespace that exists during the test."""
    maker = Client(testrun_cluster)
    body = {"metadata": {"generateName": "test-"}}
    name = maker.create("/api/v1/namespaces", body)["metadata"]["name"]
    yield name
    maker.delete(f"/api/v1/namespaces/{name}")
    maker.close()


@pytest.fixture(scope="session")
def testrun_crd() -> Any:
    """The CRD of TestRun."""
    return yaml.safe_load((files("sparktest.crd") / "testrun.yaml").read_text(encoding="utf-8"))
