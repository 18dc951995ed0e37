"""`sparktest up`: it starts, runs a TestRun, and stops completely."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.settings import Settings
from sparktest.user_files import load_session
from tests.cli.up.process_table import alive, children_of
from tests.e2e.program import Program, until
from tests.e2e.target import TARGETS, Target, open_target
from tests.e2e.tmux import Tmux
from tests.real_cluster import namespace_in

pytestmark = pytest.mark.e2e
HELLO = (files("sparktest.crd") / "examples" / "testrun.yaml").read_text()


@pytest.fixture(params=TARGETS)
def options(
    request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path
) -> Iterator[list[str]]:
    """The options of `sparktest up`: none for its dev cluster, or those of the target cluster.

    On the target cluster it uses a new namespace.
    """
    if request.param == "devcluster":
        yield []
        return
    with (
        open_target(request.param, tmp_path) as target,
        namespace_in(target.cluster, "sparktest-up") as name,
    ):
        environ |= {"SPARKTEST_NAMESPACE": name, "SPARKTEST_NAMESPACES": name}
        yield ["--kubeconfig", target.kubeconfig]
        for testrun in target.cluster.list(TESTRUNS, name).items:
            target.cluster.delete(TESTRUNS, name, testrun["metadata"]["name"])


@contextmanager
def connected_target(options: list[str], environ: dict[str, str]) -> Iterator[Target]:
    """Connect to the cluster of a running `sparktest up`."""
    path = options[1] if options else sparktest(environ, "devcluster", "kubeconfig").stdout.strip()
    cluster = Cluster.connect(Settings(kubeconfig=path))
    try:
        yield Target(path, cluster, real=bool(options))
    finally:
        cluster.close()


def sparktest(environ: dict[str, str], *args: str) -> "subprocess.CompletedProcess[str]":
    """Run a sparktest command and return its result."""
    return subprocess.run(
        [sys.executable, "-m", "sparktest", *args],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_up_runs_a_testrun_and_leaves_nothing_behind(
    options: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    namespace = environ.get("SPARKTEST_NAMESPACE", "default")
    up = Program(["up", *options], environ, tmp_path / "up.log")
    up.start()
    try:
        until("it is ready", lambda: "ready: API at" in up.tail())
        assert up.running
        pids = children_of(up.pid)
        with connected_target(options, environ) as target:
            target.apply(namespace, yaml.safe_load(HELLO))
            kubeconfig = target.kubeconfig
        until("the run is known", lambda: "hello" in sparktest(environ, "runs").stdout)

        waited = sparktest(environ, "wait", "hello")
        shown = sparktest(environ | {"KUBECONFIG": "/another/cluster"}, "show", "hello")
        followed = sparktest(
            environ,
            "run",
            "--image",
            "busybox:1.35",
            "--follow",
            "--",
            "sh",
            "-c",
            "echo from the API; exit 3",
        )
        outcomes = (f"crd {namespace}/hello succeeded", f"api {namespace}/busybox failed")
        until("both outcomes are printed", lambda: all(text in up.tail() for text in outcomes))
        session = load_session(environ)
        assert session
        code = up.stop()
    finally:
        up.stop(kill=True)

    assert waited.returncode == 0, waited.stderr
    commands = [line for line in shown.stdout.splitlines() if "kubectl " in line]
    assert len(commands) == 5, shown.stdout
    assert all(f" --kubeconfig {kubeconfig}" in line for line in commands), shown.stdout
    assert (followed.returncode, followed.stdout) == (1, "from the API\n")
    assert code == 0
    assert len(pids) == (2 if options else 3)
    assert not any(map(alive, pids))
    # Not the default address: another API may be listening there.
    assert sparktest(environ, "runs", "--backend-url", session.backend_url).returncode == 6
    assert load_session(environ) is None


def test_up_opens_the_tui_and_stops_when_it_exits(
    options: list[str], environ: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "sparktest", "up", *options]
    tmux = Tmux(tmp_path / "tmux", command, environ)
    try:
        tmux.start(100, 30)
        tmux.shows("the list", lambda screen: "No runs yet" in screen, 60)
        session = load_session(environ)
        assert session

        tmux.type("q")

        screen = tmux.shows("it has ended", lambda screen: "EXIT 0" in screen, 40)
    finally:
        tmux.stop()
    assert "stopping" in screen
    assert sparktest(environ, "runs", "--backend-url", session.backend_url).returncode == 6
    assert load_session(environ) is None


@pytest.mark.parametrize("level", ["warning", "error"])
def test_up_becomes_ready_at_any_log_level(
    environ: dict[str, str], tmp_path: Path, level: str
) -> None:
    up = Program(["up"], environ | {"SPARKTEST_LOG_LEVEL": level}, tmp_path / "up.log")
    up.start()
    try:
        until("it is ready", lambda: "ready: API at" in up.tail())
        code = up.stop()
    finally:
        up.stop(kill=True)

    assert code == 0
