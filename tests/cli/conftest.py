"""Fixtures that run commands in this process, with a real API in a thread."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from sparktest.backoff import Backoff
from sparktest.cli import main, waiting
from sparktest.cli.crd import manifest
from sparktest.cli.up.preflight import CRDS
from sparktest.client import ApiClient
from sparktest.devcluster.app import DevCluster
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.settings import Settings
from tests.e2e.program import until
from tests.live_api import TOKEN, live_api


class Result(NamedTuple):
    """The exit code of a command, and its output on stdout and stderr."""

    code: int
    out: str
    err: str


Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use no setting of the machine, and short delays."""
    for name in (
        "SPARKTEST_BACKEND_URL",
        "SPARKTEST_TOKEN",
        "DATABASE_URL",
        "PORT",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "KUBECONFIG",
        "SPARKTEST_KUBECONFIG",
        "SPARKTEST_CONTEXT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "BACKOFF", Backoff(first=0.01, cap=0.01))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("runs", "-o", "json")`, with `stdin=` where the command reads it."""

    def call(*args: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = main(args)
        output = capsys.readouterr()
        return Result(code, output.out, output.err)

    return call


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiClient]:
    """Return a client of a real API that the command line uses too."""
    with live_api(tmp_path) as url, ApiClient(url, TOKEN) as client:
        monkeypatch.setenv("SPARKTEST_BACKEND_URL", url)
        monkeypatch.setenv("SPARKTEST_TOKEN", TOKEN)
        yield client


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the kubeconfig of a dev cluster with the CRD."""
    with DevCluster.start(tmp_path_factory.mktemp("cli") / "cluster") as running:
        cluster = Cluster.connect(Settings(kubeconfig=str(running.kubeconfig)))
        cluster.create(CRDS, None, yaml.safe_load(manifest("testrun.yaml")))
        until("TestRuns are served", lambda: cluster.has_resource(TESTRUNS))
        cluster.close()
        yield running.kubeconfig
