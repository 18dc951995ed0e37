"""One stack for the tests that leave the programs alone, a new one for those that kill them."""

import subprocess
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.need import need_cluster


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """A cluster with the CRD of this tree."""
    path = need_cluster()
    subprocess.run(
        ["kubectl", "--kubeconfig", path, "apply", "-f", "-"],
        input=(files("sparktest.crd") / "testrun.yaml").read_bytes(),
        capture_output=True,
        check=True,
    )
    wait = ["wait", "--for=condition=Established", "crd/testruns.sparktest.dev"]
    subprocess.run(["kubectl", "--kubeconfig", path, *wait], capture_output=True, check=True)
    return path


@pytest.fixture(scope="session")
def stack(kubeconfig: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that tests share: each uses names of its own."""
    shared = Stack(kubeconfig, tmp_path_factory.mktemp("stack"))
    try:
        shared.start()
        yield shared
    finally:
        shared.stop()


@pytest.fixture
def own_stack(kubeconfig: str, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """A maker of stacks that belong to one test, which may kill their programs."""
    made: list[Stack] = []

    def make(**extra: str) -> Stack:
        made.append(Stack(kubeconfig, tmp_path, **extra))
        made[-1].start()
        return made[-1]

    yield make
    for stack in made:
        stack.stop()
