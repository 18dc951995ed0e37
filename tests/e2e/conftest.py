"""A stack that tests share, and stacks of their own for tests that kill programs.

Every test runs on a dev cluster, and again on the cluster of KUBECONFIG if there is one.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.program import free_port
from tests.e2e.stack import Stack
from tests.e2e.target import TARGETS, Target, open_target


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with its own home folder, in which no cluster is named."""
    inherited = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return inherited | {"HOME": str(tmp_path), "SPARKTEST_PORT": str(free_port())}


@pytest.fixture(scope="session", params=TARGETS)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    """A cluster with the CRD of this source tree."""
    with open_target(request.param, tmp_path_factory.mktemp("target")) as found:
        yield found


@pytest.fixture(scope="session")
def stack(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack shared by tests that use different names."""
    shared = Stack(target, tmp_path_factory.mktemp("stack"))
    try:
        shared.start()
        yield shared
    finally:
        shared.stop()


@pytest.fixture
def own_stack(target: Target, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Create stacks whose programs the test may kill."""
    made: list[Stack] = []

    def make(**extra: str) -> Stack:
        made.append(Stack(target, tmp_path, **extra))
        made[-1].start()
        return made[-1]

    yield make
    for stack in made:
        stack.stop()
