"""A shared stack for tests that only use it, and new stacks for tests that kill its programs.

Every test runs on a dev cluster, and again on the cluster of KUBECONFIG if there is one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.e2e.target import TARGETS, Target, open_target


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
    """Create stacks of this test alone, which may kill their programs."""
    made: list[Stack] = []

    def make(**extra: str) -> Stack:
        made.append(Stack(target, tmp_path, **extra))
        made[-1].start()
        return made[-1]

    yield make
    for stack in made:
        stack.stop()
