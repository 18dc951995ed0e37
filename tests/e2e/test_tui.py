"""The terminal UI in a real terminal, over a real API and cluster."""

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparktest.domain import Run
from tests.e2e.stack import Stack
from tests.e2e.tmux import Tmux

pytestmark = pytest.mark.e2e


@pytest.fixture
def terminal(stack: Stack, tmp_path: Path) -> Iterator[Callable[[int, int], Tmux]]:
    """Open a window of a given size that runs `sparktest tui` on the shared stack."""
    tmux = Tmux(tmp_path / "tmux", [sys.executable, "-m", "sparktest", "tui"], stack.environ)

    def start(width: int, height: int) -> Tmux:
        tmux.start(width, height)
        return tmux

    yield start
    tmux.stop()


@pytest.fixture(scope="session")
def runs(stack: Stack) -> tuple[Run, Run]:
    """A finished run of a TestRun and a finished API run."""
    stack.apply("tui-crd", commands=["echo from the testrun"])
    by_api = stack.client.create_run(
        {"name": "tui-api", "image": "busybox:1.35", "commands": ["echo from the API; exit 4"]}
    )
    stack.wait_until_finished("tui-crd")
    return stack.run_of("tui-crd"), stack.wait_until_final(by_api.id)


def line_of(screen: str, name: str) -> str:
    """Return the row of the list with the name; "" if there is none."""
    return next((line for line in screen.splitlines() if name in line), "")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 40)])
def test_the_list_shows_the_badge_and_filters_by_origin(
    terminal: Callable[[int, int], Tmux], runs: tuple[Run, Run], width: int, height: int
) -> None:
    tmux = terminal(width, height)

    screen = tmux.shows("both runs", lambda text: "tui-crd" in text and "tui-api" in text)
    assert "CRD" in line_of(screen, "tui-crd")
    assert "CRD" not in line_of(screen, "tui-api")
    assert "succeeded" in line_of(screen, "tui-crd")
    assert "failed" in line_of(screen, "tui-api")

    tmux.type("o")
    tmux.shows("API runs only", lambda text: "tui-api" in text and "tui-crd" not in text)
    tmux.type("o")
    tmux.shows("CRD runs only", lambda text: "tui-crd" in text and "tui-api" not in text)
    tmux.type("o")
    tmux.shows("all runs", lambda text: "tui-crd" in text and "tui-api" in text)


def test_details_show_the_source_and_copy_its_kubectl_commands(
    terminal: Callable[[int, int], Tmux], stack: Stack, runs: tuple[Run, Run]
) -> None:
    tmux = terminal(120, 40)
    tmux.shows("the run", lambda text: "tui-crd" in text)
    tmux.type("/")
    tmux.shows("the search", lambda text: "search every column" in text)
    tmux.text("tui-crd")
    tmux.type("Enter")
    tmux.shows("only the run", lambda text: "tui-crd" in text and "tui-api" not in text)
    tmux.type("Enter")
    command = f"kubectl get testruns.sparktest.dev tui-crd -n {stack.namespace}"
    screen = tmux.shows("the source", lambda text: "Source" in text and "kubectl get" in text)
    assert runs[0].id[:8] in screen
    assert stack.namespace in screen

    tmux.type("y")
    tmux.shows("the menu", lambda text: "⏎ copy" in text)
    tmux.type("Enter")

    tmux.shows("it says that it was copied", lambda text: "opied" in text)
    assert tmux.clipboard().startswith(command)
    if shutil.which("kubectl"):
        _, *args = shlex.split(tmux.clipboard())
        assert "tui-crd" in stack.kubectl(*args)
