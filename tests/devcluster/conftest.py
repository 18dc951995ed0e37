"""A dev cluster for each test, on a free port, in a folder of its own."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparktest.devcluster.app import DevCluster
from tests.devcluster.client import Client


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DevCluster]:
    with DevCluster.start(tmp_path / "cluster") as running:
        yield running


@pytest.fixture
def client(cluster: DevCluster) -> Iterator[Client]:
    made = Client(cluster)
    yield made
    made.close()


@pytest.fixture(scope="session")
def testrun_crd() -> Any:
    """The CRD of the kind TestRun, as it is shipped."""
    return yaml.safe_load((files("sparktest.crd") / "testrun.yaml").read_text(encoding="utf-8"))
