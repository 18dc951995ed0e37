import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.client import ApiClient
from sparktest.errors import SparkTestError
from sparktest.settings import load
from sparktest.user_files import session_path
from tests.cli.conftest import Cli
from tests.cli.up.process_table import alive, children_of
from tests.e2e.program import until

API = ["--serve"]
CONTROLLER = ["--call-api"]


class Up:
    """A `sparktest up` of fake programs, as a process.

    `merged`: stdout and stderr are one file.
    """

    def __init__(
        self, folder: Path, *programs: list[str], port: int = 0, merged: bool = False
    ) -> None:
        self.out = folder / "out"
        self.err = self.out if merged else folder / "err"
        environ = os.environ | {"SPARKTEST_PORT": str(port)}
        with self.out.open("a") as out, self.err.open("a") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.up.driver", *map(json.dumps, programs)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def prints(self, words: str) -> None:
        """Wait until the words are on stdout."""
        until(f"it prints {words!r}", lambda: words in self.out.read_text() or self._failed())

    def ends(self) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(60)

    def children(self) -> list[int]:
        """Return the process ids of its children, in the order of their start."""
        return sorted(children_of(self.process.pid))

    def _failed(self) -> bool:
        assert self.process.poll() is None, self.err.read_text()
        return False


def healthy(client: ApiClient) -> bool:
    try:
        return bool(client.health())
    except SparkTestError:
        return False


@pytest.fixture
def ups(tmp_path: Path) -> Iterator[list[Up]]:
    """Processes to kill after the test."""
    started: list[Up] = []
    yield started
    for up in started:
        up.process.kill()
        up.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(ups: list[Up], tmp_path: Path, number: signal.Signals) -> None:
    ups.append(up := Up(tmp_path, API, CONTROLLER))
    up.prints("ready")
    children = up.children()
    settings = load()
    with ApiClient.from_settings(settings) as client:
        assert client.health()["status"] == "healthy"
    assert session_path(os.environ).stat().st_mode & 0o777 == 0o600

    up.process.send_signal(number)

    assert up.ends() == 0
    assert len(children) == 2
    assert not any(map(alive, children))
    assert not session_path(os.environ).exists()
    assert up.err.read_text() == ""
    assert up.out.read_text().splitlines()[-1] == "stopping"


def test_a_signal_during_the_start_stops_everything(ups: list[Up], tmp_path: Path) -> None:
    ups.append(up := Up(tmp_path, API, ["--print", "starting"]))
    up.prints("starting the controller")
    children = up.children()

    up.process.send_signal(signal.SIGTERM)

    assert up.ends() == 0
    assert not any(map(alive, children))
    assert "ready" not in up.out.read_text()


@pytest.mark.parametrize(
    ("programs", "name"),
    [
        (([*API, "--code", "7"], CONTROLLER), "API"),
        ((API, ["--print", "first\nlast \x1b[2Jwords", "--code", "7"]), "controller"),
        ((API, CONTROLLER, ["--code", "7"]), "terminal UI"),
    ],
    ids=["api", "controller", "tui"],
)
def test_a_program_that_ends_by_itself_stops_everything(
    ups: list[Up], tmp_path: Path, programs: tuple[list[str], ...], name: str
) -> None:
    ups.append(up := Up(tmp_path, *programs))

    assert up.ends() == 3
    *lines, last = up.err.read_text().splitlines()
    assert last.startswith(
        f"sparktest: the {name} ended by itself with code 7, so everything stops"
    )
    if name == "controller":
        assert lines == ["controller: first", "controller: last words"]
        assert last.endswith(f"its log: {tmp_path}/data/sparktest/logs/controller.log")
    assert not session_path(os.environ).exists()


def test_closing_the_terminal_ui_stops_everything_with_success(
    ups: list[Up], tmp_path: Path
) -> None:
    ups.append(up := Up(tmp_path, API, CONTROLLER, ["--code", "0"]))

    assert up.ends() == 0
    assert up.err.read_text() == ""


def test_a_killed_program_is_restarted_and_reported(ups: list[Up], tmp_path: Path) -> None:
    ups.append(up := Up(tmp_path, API, CONTROLLER))
    up.prints("ready")
    api, controller = up.children()

    os.kill(api, signal.SIGKILL)

    until("another API is running", lambda: len(set(up.children()) - {api, controller}) == 1)
    (fresh,) = set(up.children()) - {api, controller}
    with ApiClient.from_settings(load()) as client:
        until("it serves at the same address", lambda: healthy(client))
    assert alive(controller)
    assert up.err.read_text() == "sparktest: the API was killed (signal 9); restarting it\n"
    up.process.terminate()
    assert up.ends() == 0
    assert not any(map(alive, (controller, fresh)))


def test_warnings_of_the_time_with_the_terminal_ui_are_printed_before_stopping(
    ups: list[Up], tmp_path: Path
) -> None:
    ups.append(up := Up(tmp_path, API, CONTROLLER, [], merged=True))
    up.prints("ready")
    until("the terminal UI is open", lambda: len(up.children()) == 3)
    api, *others = up.children()
    os.kill(api, signal.SIGKILL)
    until("another API is running", lambda: len(set(up.children()) - {api, *others}) == 1)
    assert "restarting it" not in up.out.read_text()

    up.process.terminate()

    assert up.ends() == 0
    assert up.out.read_text().endswith(
        "sparktest: the API was killed (signal 9); restarting it\nstopping\n"
    )


def test_a_program_that_is_killed_too_often_stops_everything(ups: list[Up], tmp_path: Path) -> None:
    ups.append(up := Up(tmp_path, API, [*CONTROLLER, "--killed"]))

    assert up.ends() == 3
    *_, last = up.err.read_text().splitlines()
    assert last.startswith(
        "sparktest: the controller was killed 11 times in 60 s, so everything stops"
    )
    assert not session_path(os.environ).exists()


def test_sigkill_of_the_parent_stops_all_children(ups: list[Up], tmp_path: Path) -> None:
    ups.append(up := Up(tmp_path, API, [*CONTROLLER, "--stubborn"]))
    up.prints("ready")
    children = up.children()

    up.process.kill()

    until("all are gone", lambda: not any(map(alive, children)))
    assert len(children) == 2
    ups.append(again := Up(tmp_path, API, CONTROLLER))
    again.prints("ready")


def test_a_child_that_ignores_sigterm_is_killed(ups: list[Up], tmp_path: Path) -> None:
    ups.append(up := Up(tmp_path, API, [*CONTROLLER, "--stubborn"]))
    up.prints("ready")
    children = up.children()

    up.process.terminate()

    assert up.ends() == 0
    assert not any(map(alive, children))


def test_a_second_instance_names_the_first(ups: list[Up], tmp_path: Path) -> None:
    ups.append(up := Up(tmp_path, API, CONTROLLER))
    up.prints("ready")
    (tmp_path / "second").mkdir()
    ups.append(second := Up(tmp_path / "second", API, CONTROLLER))

    assert second.ends() == 3
    assert re.match(
        r"sparktest: sparktest up is running already, with its API at http://127\.0\.0\.1:\d+/api; "
        r"open it with: sparktest tui\n$",
        second.err.read_text(),
    )
    assert up.process.poll() is None
    assert session_path(os.environ).exists()


def test_a_token_and_an_address_that_are_set_are_used(
    ups: list[Up], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKTEST_TOKEN", "one-of-my-own-0123456789")
    monkeypatch.setenv("SPARKTEST_HOST", "0.0.0.0")
    ups.append(up := Up(tmp_path, API, CONTROLLER))
    up.prints("ready")
    monkeypatch.delenv("SPARKTEST_TOKEN")

    found = load()

    assert found.token == "one-of-my-own-0123456789"
    assert found.backend_url.startswith("http://127.0.0.1:")
    (api, _) = up.children()
    environ = Path(f"/proc/{api}/environ").read_bytes().split(b"\0")
    assert b"SPARKTEST_HOST=0.0.0.0" in environ


def test_a_port_in_use_is_replaced_and_reported(ups: list[Up], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ups.append(up := Up(tmp_path, API, CONTROLLER, port=port))
        up.prints("ready")

    warning = re.fullmatch(
        rf"sparktest: port {port} is taken; the API listens on (\d+)\n", up.err.read_text()
    )
    assert warning
    assert load().backend_url == f"http://127.0.0.1:{warning[1]}/api"


def test_a_cluster_that_cannot_be_used_is_3(cli: Cli, tmp_path: Path) -> None:
    result = cli("up", "--kubeconfig", str(tmp_path / "nope"))

    assert (result.code, result.out) == (3, "")
    assert result.err.startswith("sparktest: kubeconfig: there is no file")
    assert not session_path(os.environ).exists()
