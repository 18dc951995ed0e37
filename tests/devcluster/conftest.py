"""Dev clusters for tests: a shared one with a namespace per test, and one per test."""

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
    """A dev cluster shared by all tests that stay in their namespace."""
    with DevCluster.start(tmp_path_factory.mktemp("shared") / "cluster") as running:
        yield running


@pytest.fixture
def client(shared: DevCluster) -> Iterator[Client]:
    """A client with its own namespace on the shared dev cluster."""
    made = Client(shared)
    body = {"metadata": {"generateName": "test-"}}
    made.namespace = made.create("/api/v1/namespaces", body)["metadata"]["name"]
    yield made
    made.delete(f"/api/v1/namespaces/{made.namespace}")
    made.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DevCluster]:
    """A dev cluster of this test alone."""
    with DevCluster.start(tmp_path / "cluster", clock=AdjustableClock()) as running:
        yield running


@pytest.fixture
def faults(cluster: DevCluster) -> Iterator[Faults]:
    """Injects faults into `cluster`."""
    made = Faults(cluster)
    yield made
    made.clear()


@pytest.fixture
def own(cluster: DevCluster) -> Iterator[Client]:
    """A client of `cluster`."""
    made = Client(cluster)
    yield made
    made.close()


@pytest.fixture(scope="session")
def testrun_cluster(
    tmp_path_factory: pytest.TempPathFactory, testrun_crd: Any
) -> Iterator[DevCluster]:
    """A shared dev cluster that has the TestRun CRD, for tests that stay in their namespace."""
    with DevCluster.start(tmp_path_factory.mktemp("testrun_cluster") / "cluster") as running:
        admin = Client(running)
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        admin.create(path, testrun_crd)
        admin.close()
        yield running


@pytest.fixture
def namespace(testrun_cluster: DevCluster) -> Iterator[str]:
    """A namespace of `testrun_cluster` that is deleted after the test."""
    admin = Client(testrun_cluster)
    body = {"metadata": {"generateName": "test-"}}
    name = admin.create("/api/v1/namespaces", body)["metadata"]["name"]
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")
    admin.close()


@pytest.fixture(scope="session")
def testrun_crd() -> Any:
    """The shipped CRD of TestRun."""
    return yaml.safe_load((files("sparktest.crd") / "testrun.yaml").read_text(encoding="utf-8"))
