"""Every example of docs/tests.md is accepted, and becomes a Job that is accepted."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sparktest.client import ApiClient
from sparktest.domain import Origin
from sparktest.kube.jobs import build_job
from sparktest.kube.resources import JOBS, TESTRUNS, Resource
from tests.e2e.images import PYTEST_IMAGE, require_pytest_image
from tests.e2e.stack import Stack
from tests.e2e.target import Target
from tests.live_api import TOKEN, live_api
from tests.real_cluster import dry_create, namespace_in

pytestmark = pytest.mark.e2e
PAGE = (Path(__file__).parents[2] / "docs" / "tests.md").read_text(encoding="utf-8")
BLOCKS = [
    yaml.safe_load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]
KINDS = {
    "TestRun": TESTRUNS,
    "ConfigMap": Resource("", "v1", "configmaps", "ConfigMap"),
    "Secret": Resource("", "v1", "secrets", "Secret"),
}
RUNS = [block for block in BLOCKS if block["kind"] == "TestRun"]


def name_of(block: dict[str, Any]) -> str:
    metadata = block["metadata"]
    return str(metadata.get("name") or metadata["generateName"].rstrip("-"))


@pytest.fixture(scope="module")
def namespace(target: Target) -> Iterator[str]:
    with namespace_in(target.cluster, "sparktest-page") as name:
        yield name


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    with live_api(tmp_path_factory.mktemp("api")) as url, ApiClient(url, TOKEN) as connected:
        yield connected


def test_the_page_has_an_example_for_every_tool() -> None:
    text = yaml.safe_dump_all(RUNS)
    for word in ("pytest", "jest", "go test", "k6", "playwright"):
        assert word in text


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_every_example_is_accepted(target: Target, namespace: str, block: dict[str, Any]) -> None:
    made = dry_create(target.cluster, KINDS[block["kind"]], namespace, block)

    assert made.get("spec") == block.get("spec")


@pytest.mark.parametrize("block", RUNS, ids=name_of)
def test_the_job_of_every_example_is_accepted(
    target: Target, namespace: str, client: ApiClient, block: dict[str, Any]
) -> None:
    name = name_of(block)
    if name == "shop-database" and target.real and target.minor_version < 29:
        pytest.skip("native sidecars came with Kubernetes 1.29")
    ref = {"namespace": namespace, "name": name, "uid": f"uid-of-{namespace}-{name}"}
    payload = {"name": name, "origin": Origin.CRD, "cluster": "page", "k8sRef": ref}

    run = client.create_run(payload | block["spec"])

    job = build_job(msgspec.structs.replace(run, namespace=namespace))
    dry_create(target.cluster, JOBS, namespace, job)


def test_the_example_with_pytest_and_a_configmap_passes(stack: Stack, tmp_path: Path) -> None:
    """Without the command that installs pytest, which needs a network."""
    (files,) = (block for block in BLOCKS if name_of(block) == "shop-tests")
    (testrun,) = (block for block in RUNS if name_of(block) == "shop-prices")
    spec = testrun["spec"] | {"commands": testrun["spec"]["commands"][1:]}
    if stack.target.real:
        require_pytest_image(stack.cluster, tmp_path)
        spec["image"] = PYTEST_IMAGE
    else:  # the one of this environment is not in the PATH of tests
        spec["commands"] = [
            text.replace("pytest", f"{sys.executable} -m pytest", 1) for text in spec["commands"]
        ]
    stack.cluster.create(KINDS["ConfigMap"], stack.namespace, files)
    stack.apply("page", **spec)

    status = stack.wait_until_finished("page")["status"]

    assert status["phase"] == "Succeeded", status
    assert "1 passed" in stack.log_of(stack.run_of("page"))
