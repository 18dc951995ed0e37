"""`sparktest demo`: it needs no setup and leaves nothing behind."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.up.process_table import alive, children_of
from tests.e2e.program import Program, until
from tests.e2e.tmux import Tmux

pytestmark = pytest.mark.e2e


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment with its own home and temporary folder, and with misleading settings."""
    (tmp_path / "tmp").mkdir()
    inherited = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return inherited | {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "KUBECONFIG": "/not/there",
        "SPARKTEST_BACKEND_URL": "http://127.0.0.1:9",
        "SPARKTEST_NAMESPACE": "elsewhere",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    }


def test_the_demo_shows_three_outcomes_and_leaves_nothing_behind(
    environ: dict[str, str], tmp_path: Path
) -> None:
    demo = Program(["demo"], environ, tmp_path / "demo.log")
    demo.start()
    try:
        until("its programs run", lambda: len(children_of(demo.pid)) == 3)
        pids = children_of(demo.pid)
        until("it has ended", lambda: not demo.running)
        code = demo.stop()
    finally:
        demo.stop(kill=True)

    output = demo.tail(200)
    assert code == 0, output
    for outcome in (
        "hello  [CRD]  succeeded",
        "failing  [CRD]  failed",
        "timeout  [CRD]  timed out",
    ):
        assert outcome in output
    assert "check 3 passed" in output
    assert "failure      test, Error: exit code 3" in output
    assert "kubectl get testruns.sparktest.dev hello -n default" in output
    assert not any(map(alive, pids))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("marker", ["starting the dev cluster", "hello running"])
def test_an_interrupted_demo_leaves_nothing_behind(
    environ: dict[str, str], tmp_path: Path, marker: str
) -> None:
    demo = Program(["demo"], environ, tmp_path / "demo.log")
    demo.start()
    try:
        until("the demo reaches that point", lambda: marker in demo.tail(), every=0.01)
        pids = children_of(demo.pid)
        code = demo.stop()
    finally:
        demo.stop(kill=True)

    assert code == 130, demo.tail()
    assert pids
    assert not any(map(alive, pids))
    assert list((tmp_path / "tmp").iterdir()) == []


def test_on_a_terminal_the_demo_opens_the_tui(environ: dict[str, str], tmp_path: Path) -> None:
    tmux = Tmux(tmp_path / "tmux", [sys.executable, "-m", "sparktest", "demo"], environ)
    try:
        tmux.start(140, 40)
        tmux.shows("all three", lambda screen: "◷ 1 timed out" in screen and "3 runs" in screen, 60)
        tmux.type("Enter")
        tmux.shows("the run", lambda screen: "Source" in screen)
        tmux.type("y")
        tmux.shows("the menu", lambda screen: "⏎ copy" in screen)
        tmux.type("Enter")
        tmux.shows("it says that it was copied", lambda screen: "opied" in screen)
        if shutil.which("kubectl"):
            # The copied command names the dev cluster, so it works in any terminal.
            answer = subprocess.run(
                shlex.split(tmux.clipboard()),
                env=environ,
                capture_output=True,
                text=True,
                check=True,
            )
            assert re.search(r"Succeeded|Failed|TimedOut", answer.stdout)
        tmux.type("Escape")
        tmux.shows("the list", lambda screen: "3 runs" in screen)

        tmux.type("q")

        tmux.shows("it has ended", lambda screen: "EXIT 0" in screen, 40)
    finally:
        tmux.stop()
    assert list((tmp_path / "tmp").iterdir()) == []
