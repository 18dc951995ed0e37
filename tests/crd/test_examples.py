"""The examples that are shipped: whole, and accepted by a real cluster."""

from importlib.resources import files

import pytest
import yaml

from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from tests.real_cluster import dry_create

FOLDER = files("sparktest.crd") / "examples"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.name.endswith(".yaml"))


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_the_example_of_the_readme_is_there_and_runs_busybox() -> None:
    document = yaml.safe_load(text("testrun.yaml"))
    assert document["kind"] == "TestRun"
    assert document["spec"]["image"] == "busybox:1.35"
    assert len(document["spec"]["commands"]) == 2


def test_examples_can_be_applied_together() -> None:
    names = [yaml.safe_load(text(name))["metadata"]["name"] for name in EXAMPLES]
    assert len(set(names)) == len(names) >= 5


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_it_shows(name: str) -> None:
    assert text(name).startswith("# ")


@pytest.mark.e2e
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_accepted_by_the_cluster(cluster: Cluster, namespace: str, name: str) -> None:
    document = yaml.safe_load(text(name))
    assert dry_create(cluster, TESTRUNS, namespace, document)["spec"] == document["spec"]
