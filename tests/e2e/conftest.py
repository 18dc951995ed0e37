"""One stack for the tests that leave the programs alone, a new one for those that kill them.

Every test runs on a dev cluster, and again on the cluster of KUBECONFIG where there is one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.place import PLACES, Place, opened
from tests.e2e.stack import Stack


@pytest.fixture(scope="session", params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """A cluster with the CRD of this tree."""
    with opened(request.param, tmp_path_factory.mktemp("place")) as found:
        yield found


@pytest.fixture(scope="session")
def stack(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that tests share: each uses names of its own."""
    shared = Stack(place, tmp_path_factory.mktemp("stack"))
    try:
        shared.start()
        yield shared
    finally:
        shared.stop()


@pytest.fixture
def own_stack(place: Place, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """A maker of stacks that belong to one test, which may kill their programs."""
    made: list[Stack] = []

    def make(**extra: str) -> Stack:
        made.append(Stack(place, tmp_path, **extra))
        made[-1].start()
        return made[-1]

    yield make
    for stack in made:
        stack.stop()
