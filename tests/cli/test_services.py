import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparktest.client import ApiClient
from sparktest.settings import Settings
from tests.cli.conftest import Cli


@contextmanager
def program(*args: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "sparktest", *args],
        stdin=subprocess.DEVNULL,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environ,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_api_serves_until_sigterm(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with program("api", "--port", "0", "--database-url", url) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:-1] == ["SparkTest", "API", "at"]
        with ApiClient(f"{words[-1]}/api") as client:
            assert client.health()["status"] == "healthy"

        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0


def test_the_api_does_not_take_the_token_of_a_running_up(tmp_path: Path) -> None:
    session = tmp_path / "sparktest" / "session.toml"
    session.parent.mkdir()
    session.write_text('backend_url = "http://127.0.0.1:9/api"\ntoken = "spt_s_0123456789abcdef"\n')
    environ = {"XDG_DATA_HOME": str(tmp_path), "SPARKTEST_HOST": "0.0.0.0"}
    with program("api", "--port", "0", **environ) as process:
        _, err = process.communicate(timeout=60)

    assert process.returncode == 3
    assert "set SPARKTEST_TOKEN" in err


def test_a_port_in_use_is_3_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with program("api", "--port", port, DATABASE_URL=f"sqlite:///{tmp_path}/x.db") as process:
            _, err = process.communicate(timeout=60)

    assert process.returncode == 3
    assert err.startswith(f"sparktest: port {port} on 127.0.0.1 is taken")
    assert err.count("\n") == 1


def test_a_controller_without_a_cluster_is_3_and_one_line(cli: Cli, tmp_path: Path) -> None:
    result = cli("controller", "--kubeconfig", str(tmp_path / "nope"))

    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("sparktest: kubeconfig: there is no file")
    assert result.err.count("\n") == 1


def test_a_terminal_ui_without_a_terminal_is_wrong_usage(cli: Cli) -> None:
    result = cli("tui")

    assert (result.code, result.out) == (2, "")
    assert "needs a terminal" in result.err


def test_the_terminal_ui_takes_a_kubeconfig_and_a_context(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Settings] = []
    monkeypatch.setattr("sparktest.tui.app.run", started.append)

    result = cli("tui", "--kubeconfig", "/a/config", "--context", "eu")

    assert result.code == 0
    assert (started[0].kubeconfig, started[0].context) == ("/a/config", "eu")
