"""Processes of Jobs cannot see the user's secrets, nor other users the files of a dev cluster."""

import os
import pty
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.devcluster.app import DevCluster
from sparktest.errors import InvalidError
from tests.devcluster.client import JOBS, MAPS, Client, config_map, ended_job, job, log, pods_of

CANARY = "canary-7f3a"
VARIABLES = (
    "KUBECONFIG",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITHUB_TOKEN",
    "SSH_AUTH_SOCK",
    "SPARKTEST_TOKEN",
    "SPARKTEST_DATABASE_URL",
    "DATABASE_URL",
    "HTTPS_PROXY",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "LD_LIBRARY_PATH",
    "BASH_ENV",
    "ENV",
    "XDG_CONFIG_HOME",
    "USER",
    "LOGNAME",
    "MAIL",
)


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Secrets in variables, in an open file, in the current folder and on stdin."""
    for name in VARIABLES:
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("HOME", f"/{CANARY}")
    secret = tmp_path / CANARY
    secret.mkdir()
    monkeypatch.chdir(secret)
    (secret / "file").write_text(CANARY)
    opened = os.open(secret / "file", os.O_RDONLY)
    os.set_inheritable(opened, True)
    master, terminal = pty.openpty()
    os.write(master, f"{CANARY}\n".encode())
    kept = os.dup(0)
    os.dup2(terminal, 0)
    yield
    os.dup2(kept, 0)
    for descriptor in (opened, master, terminal, kept):
        os.close(descriptor)


def output_of(client: Client, script: str) -> str:
    """Run a Job with this script and return its log."""
    client.create(JOBS, job("a", script))
    ended_job(client, "a")
    (pod,) = pods_of(client, "a")
    return log(client, pod)


def test_a_process_sees_nothing_of_the_user(client: Client, canaries: None) -> None:
    text = output_of(
        client,
        "env; for pid in self $$ $PPID; do tr '\\0' '\\n' < /proc/$pid/environ; "
        "tr '\\0' ' ' < /proc/$pid/cmdline; readlink /proc/$pid/cwd; ls -l /proc/$pid/fd; done; "
        "cat; pwd; ls -la; ls -la ..",
    )
    assert "HOSTNAME=" in text
    assert CANARY not in text


def test_a_process_has_no_terminal_and_an_empty_stdin(client: Client, canaries: None) -> None:
    text = output_of(client, "tty; read line; echo read $?; (: < /dev/tty) 2>&1; echo open $?")
    lines = text.splitlines()
    assert lines[0] == "not a tty"
    assert "read 1" in lines
    assert lines[-1] != "open 0"


def test_a_process_has_only_its_own_files_open(client: Client) -> None:
    # A running shell has further descriptors such as 255.
    text = output_of(client, "exec sleep 0.3 & sleep 0.1; ls /proc/$!/fd | tr '\\n' ' '")
    assert text.strip() == "0 1 2"


def test_a_process_has_its_own_home_and_temporary_folder(client: Client) -> None:
    text = output_of(client, 'echo "$HOME"; echo "$TMPDIR"; stat -c %a "$HOME" "$TMPDIR"; pwd')
    home, temporary, *modes, here = text.splitlines()
    assert modes == ["700", "700"]
    assert home == here
    assert Path(home).parent == Path(temporary).parent


def test_only_the_owner_can_read_the_files_of_a_dev_cluster(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = tmp_path / "wide"
        folder.mkdir(mode=0o777)
        with DevCluster.start(folder) as cluster:
            client = Client(cluster)
            client.create(MAPS, config_map("a"))
            output_of(client, "echo; mkdir folder; touch file")
            client.close()
            found = [p for p in (folder, *folder.rglob("*")) if not p.is_symlink()]
            modes = {path.relative_to(tmp_path): path.lstat().st_mode & 0o777 for path in found}
    finally:
        os.umask(before)
    own = {path: oct(mode) for path, mode in modes.items() if path.name not in ("folder", "file")}
    assert {path for path, mode in own.items() if mode not in ("0o600", "0o700")} == set()
    assert {"token", "kubeconfig", "ca.key", "server.pem", "state.db"} <= {p.name for p in own}


def test_an_unusable_folder_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidError, match=re.escape(f"{tmp_path}/file")):
        DevCluster.start(tmp_path / "file")
    with pytest.raises(InvalidError, match="choose a folder of your own"):
        DevCluster.start(tmp_path / "file" / "below")
