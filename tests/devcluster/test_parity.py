"""kubectl prints the same on the dev cluster and on a real one."""

import difflib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster.kubectl import Kubectl, Step
from tests.devcluster.parity import normalize
from tests.devcluster.scenarios import SCENARIOS
from tests.real_cluster import install_crd, namespace_in, real_cluster
from tests.requirements import require_cluster

pytestmark = pytest.mark.e2e
READ_ONLY = ("get", "describe", "explain", "events", "api-resources", "api-versions")
RETRY_SECONDS = 15.0
FIELD = re.compile(r"^\s+(\w+)\t<", re.MULTILINE)


@pytest.fixture(scope="module")
def real_kubeconfig() -> str:
    path = require_cluster()
    install_crd()
    return path


@pytest.fixture
def both(
    real_kubeconfig: str, testrun_cluster: DevCluster, namespace: str, tmp_path: Path
) -> Iterator[tuple[Kubectl, Kubectl]]:
    """Return kubectl for the real cluster and for the dev cluster, each with a new namespace."""
    dev = Kubectl(str(testrun_cluster.kubeconfig), namespace, tmp_path / "dev")
    with namespace_in(real_cluster(), "parity") as name:
        yield Kubectl(real_kubeconfig, name, tmp_path / "real"), dev


def comparable_output(kubectl: Kubectl, step: Step) -> list[str]:
    """Return the output lines of a step, without what may differ between the clusters."""
    if step.lines:
        result = kubectl.watch(step.command, step.meanwhile, step.lines)
    else:
        result = kubectl(step.command, step.stdin)
    text = normalize(str(result), kubectl.namespace)
    return sorted(FIELD.findall(text)) if step.fields else text.splitlines()


def differing(step: Step, both: tuple[Kubectl, Kubectl]) -> list[str]:
    """Return the output lines of a step that differ between the clusters.

    A real cluster shows some changes with a delay (the fields of a new kind,
    Events), so commands that only read are repeated for a while.
    """
    end = time.monotonic() + RETRY_SECONDS
    while True:
        with ThreadPoolExecutor(2) as pool:
            real, dev = pool.map(comparable_output, both, (step, step))
        if step.within or step.fields:
            more = [line for line in dev if line not in real]
        else:
            more = list(difflib.unified_diff(real, dev, "real", "dev", lineterm="", n=1))
        is_read_only = step.command.split()[0] in READ_ONLY and not step.lines
        if not more or not is_read_only or time.monotonic() > end:
            return [f"$ kubectl {step.command}", *more] if more else []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_kubectl_prints_the_same_on_both_clusters(
    scenario: str, both: tuple[Kubectl, Kubectl]
) -> None:
    found = ("\n".join(differing(step, both)) for step in SCENARIOS[scenario])
    differences = [text for text in found if text]
    assert not differences, "\n\n".join(differences)
