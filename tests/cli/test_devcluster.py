import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import NAMESPACES
from sparktest.settings import Settings
from tests.cli.conftest import Cli


@contextmanager
def devcluster(*args: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `sparktest devcluster`."""
    command = [sys.executable, "-m", "sparktest", "devcluster", *args]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def cluster_of(path: str) -> Cluster:
    return Cluster.connect(Settings(kubeconfig=path), workers=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the default folder of the dev cluster."""
    return tmp_path / "data" / "sparktest" / "devcluster"


def test_it_prints_how_to_use_it_and_keeps_its_objects(cli: Cli, folder: Path) -> None:
    uids = []
    for _ in range(2):
        with devcluster() as process:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
            path = second.strip().removeprefix("export KUBECONFIG=")
            cluster = cluster_of(path)
            uids.append(cluster.uid())
            if len(uids) == 1:
                cluster.create(NAMESPACES, None, {"metadata": {"name": "kept"}})
            else:
                cluster.get(NAMESPACES, None, "kept")
            cluster.close()
            assert cli("devcluster", "kubeconfig") == (0, f"{path}\n", "")
            assert cli("devcluster", "env") == (0, second.lstrip(), "")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0

    assert re.fullmatch(r"dev cluster at https://127\.0\.0\.1:\d+; in another terminal:\n", first)
    assert Path(path) == folder / "kubeconfig"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert uids[0] == uids[1]


def test_reset_deletes_objects_and_keeps_address_and_credentials(cli: Cli, tmp_path: Path) -> None:
    where = ("--folder", str(tmp_path / "own"))
    with devcluster(*where) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = cluster_of(str(tmp_path / "own" / "kubeconfig"))
        uid = before.uid()
        before.create(NAMESPACES, None, {"metadata": {"name": "forgotten"}})

        refused = cli("devcluster", *where, "reset")

        assert refused.code == 3
        assert "another dev cluster runs on this folder" in refused.err
        process.terminate()
        process.wait(60)

    result = cli("devcluster", *where, "reset")

    assert (result.code, result.out) == (0, "")
    with devcluster(*where) as process:
        assert process.stdout is not None
        process.stdout.readline()
        # The same address, certificate and token.
        names = [item["metadata"]["name"] for item in before.list(NAMESPACES).items]
        assert names == ["default", "kube-public", "kube-system"]
        after = cluster_of(str(tmp_path / "own" / "kubeconfig"))
        assert after.uid() == uid
        process.terminate()
    for cluster in (before, after):
        cluster.close()


def test_the_kubeconfig_of_a_stopped_dev_cluster_is_printed_with_a_warning(
    cli: Cli, folder: Path
) -> None:
    assert cli("devcluster", "env").code == 3
    folder.mkdir(parents=True)
    (folder / "kubeconfig").write_text(yaml.safe_dump({}))

    result = cli("devcluster", "kubeconfig")

    assert (result.code, result.out) == (0, f"{folder / 'kubeconfig'}\n")
    assert "is not running" in result.err


def test_the_export_command_is_quoted_for_a_shell(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "a b$(x)"
    folder.mkdir()
    (folder / "kubeconfig").touch()

    result = cli("devcluster", "--folder", str(folder), "env")

    assert shlex.split(result.out) == ["export", f"KUBECONFIG={folder / 'kubeconfig'}"]


@pytest.mark.parametrize("command", [["devcluster"], ["devcluster", "reset"]])
def test_an_invalid_folder_is_a_one_line_error(
    cli: Cli, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "data").write_text("a file")

    result = cli(*command)

    assert result.code in (0, 3)
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) == 1
    assert os.fspath(tmp_path) in result.err


def test_a_damaged_database_is_an_error_with_a_hint(cli: Cli, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "state.db").write_text("this is no database, " * 100)

    result = cli("devcluster")

    assert result.code == 3
    assert "sparktest devcluster reset" in result.err
    assert cli("devcluster", "reset").code == 0
    assert not (folder / "state.db").exists()


def test_a_missing_extra_is_an_error_with_the_install_command(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None makes the import raise ModuleNotFoundError.
    for module in ("app", "folders"):
        monkeypatch.setitem(sys.modules, f"sparktest.devcluster.{module}", None)

    for args in (["devcluster"], ["devcluster", "kubeconfig"], ["up"], ["demo"]):
        result = cli(*args)

        assert (result.code, result.out) == (2, "")
        assert "pip install 'sparktest[devcluster]'" in result.err
        assert len(result.err.splitlines()) == 1
