"""kubectl on the dev cluster and on a real one: the same is done on both, and the same is said."""

import difflib
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparktest.devcluster.app import DevCluster
from tests.devcluster.kubectl import Kubectl
from tests.devcluster.parity import alike
from tests.devcluster.steps import Step
from tests.devcluster.stories import STORIES
from tests.need import need_cluster
from tests.real import install_crd, namespace_in, real_cluster

pytestmark = pytest.mark.e2e
LOOKS = ("get", "describe", "explain", "events", "api-resources", "api-versions")
LATER_SECONDS = 15.0
FIELD = re.compile(r"^\s+(\w+)\t<", re.MULTILINE)


@pytest.fixture(scope="module")
def real_kubeconfig() -> str:
    path = need_cluster()
    install_crd()
    return path


@pytest.fixture
def both(
    real_kubeconfig: str, furnished: DevCluster, room: str, tmp_path: Path
) -> Iterator[tuple[Kubectl, Kubectl]]:
    """kubectl of the real cluster and of the dev cluster, each with a fresh namespace."""
    dev = Kubectl(str(furnished.kubeconfig), room, tmp_path / "dev")
    with namespace_in(real_cluster(), "parity") as name:
        yield Kubectl(real_kubeconfig, name, tmp_path / "real"), dev


def heard(kubectl: Kubectl, step: Step) -> list[str]:
    """The lines of what a step says, without what tells the clusters apart."""
    if step.lines:
        said = kubectl.watches(step.command, step.meanwhile, step.lines)
    else:
        said = kubectl(step.command, step.stdin)
    text = alike(str(said), kubectl.namespace)
    return sorted(FIELD.findall(text)) if step.fields else text.splitlines()


def differing(step: Step, both: tuple[Kubectl, Kubectl]) -> list[str]:
    """The lines of a step that tell the clusters apart.

    A real cluster tells some things a little later than they are so (the fields of a new kind,
    Events), and so what only looks is looked at again.
    """
    end = time.monotonic() + LATER_SECONDS
    while True:
        with ThreadPoolExecutor(2) as pool:
            real, dev = pool.map(heard, both, (step, step))
        if step.within or step.fields:
            more = [line for line in dev if line not in real]
        else:
            more = list(difflib.unified_diff(real, dev, "real", "dev", lineterm="", n=1))
        looks = step.command.split()[0] in LOOKS and not step.lines
        if not more or not looks or time.monotonic() > end:
            return [f"$ kubectl {step.command}", *more] if more else []


@pytest.mark.parametrize("title", STORIES)
def test_kubectl_says_the_same_on_both(title: str, both: tuple[Kubectl, Kubectl]) -> None:
    found = ("\n".join(differing(step, both)) for step in STORIES[title])
    differences = [text for text in found if text]
    assert not differences, "\n\n".join(differences)
