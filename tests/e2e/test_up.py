"""`sparktest up` on a real cluster: everything starts, a TestRun runs, everything ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.cli.process_table import alive, children_of
from tests.e2e.program import Program, free_port, until
from tests.e2e.tmux import Tmux

pytestmark = pytest.mark.e2e
HELLO = (files("sparktest.crd") / "examples" / "testrun.yaml").read_text()


@pytest.fixture
def environ(kubeconfig: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a home and a namespace of its own."""
    namespace = f"sparktest-up-{os.getpid()}-{free_port()}"
    kubectl = ["kubectl", "--kubeconfig", kubeconfig]
    subprocess.run([*kubectl, "create", "namespace", namespace], check=True, capture_output=True)
    inherited = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    yield inherited | {
        "HOME": str(tmp_path),
        "KUBECONFIG": kubeconfig,
        "SPARKTEST_PORT": str(free_port()),
        "SPARKTEST_NAMESPACE": namespace,
        "SPARKTEST_NAMESPACES": namespace,
    }
    every = ["testruns.sparktest.dev", "--all", "-n", namespace, "--wait=false"]
    subprocess.run([*kubectl, "delete", *every], check=True, capture_output=True)
    subprocess.run(
        [*kubectl, "delete", "namespace", namespace, "--wait=false"],
        check=True,
        capture_output=True,
    )


def sparktest(environ: dict[str, str], *args: str) -> "subprocess.CompletedProcess[str]":
    """A command of ours, ended."""
    return subprocess.run(
        [sys.executable, "-m", "sparktest", *args],
        env=environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_up_runs_a_testrun_and_leaves_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    namespace = environ["SPARKTEST_NAMESPACE"]
    up = Program(["up", "--kubeconfig", environ["KUBECONFIG"]], environ, tmp_path / "up.log")
    up.start()
    try:
        until("it is ready", lambda: "ready: API at" in up.tail())
        assert up.running
        pids = children_of(up.pid)
        subprocess.run(
            ["kubectl", "apply", "-n", namespace, "-f", "-"],
            input=HELLO, env=environ, text=True, check=True, capture_output=True,
        )  # fmt: skip
        until("the run is known", lambda: "hello" in sparktest(environ, "runs").stdout)

        waited = sparktest(environ, "wait", "hello")
        followed = sparktest(
            environ, "run", "--image", "busybox:1.35", "--follow", "--", "sh", "-c",
            "echo from the API; exit 3",
        )  # fmt: skip
        ends = (f"crd {namespace}/hello succeeded", f"api {namespace}/busybox failed")
        until("both ends are said", lambda: all(end in up.tail() for end in ends))
        code = up.stop()
    finally:
        up.stop(kill=True)

    assert waited.returncode == 0, waited.stderr
    assert (followed.returncode, followed.stdout) == (1, "from the API\n")
    assert code == 0
    assert len(pids) == 2
    assert not any(map(alive, pids))
    assert sparktest(environ, "runs").returncode == 6


def test_up_opens_the_terminal_ui_and_ends_with_it(environ: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sparktest", "up", "--kubeconfig", environ["KUBECONFIG"]]
    tmux = Tmux(tmp_path / "tmux", command, environ)
    try:
        tmux.start(100, 30)
        tmux.shows("the list", lambda screen: "No runs yet" in screen, 60)

        tmux.type("q")

        screen = tmux.shows("it has ended", lambda screen: "EXIT 0" in screen, 40)
    finally:
        tmux.stop()
    assert "stopping" in screen
    assert sparktest(environ, "runs").returncode == 6
