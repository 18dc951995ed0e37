"""The terminal UI in real terminals, over HTTP."""

import os
import pty
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparktest import kubectl
from sparktest.domain import Run, Status
from tests.e2e.tmux import Tmux
from tests.tui.fakes import FakeApi, changed, make_run, make_runs
from tests.tui.server import serve
from tests.tui.test_hostile import TERMINAL, hostile

pytestmark = pytest.mark.e2e

COMMAND = [sys.executable, "-m", "sparktest", "tui"]
TOKEN = "spt_test_token"


@contextmanager
def serving(api: FakeApi, port: int = 0) -> Iterator[int]:
    """Serve the API until the block ends, and return its port."""
    server = serve(api, port, TOKEN)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environ_of(home: Path, port: int, token: str = TOKEN) -> dict[str, str]:
    """Return the environment of the program, without the settings of the developer."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "SPARKTEST_BACKEND_URL": f"http://127.0.0.1:{port}",
        "SPARKTEST_TOKEN": token,
    }


Open = Callable[..., Tmux]


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens a tmux window with the terminal UI."""
    opened: list[Tmux] = []

    def start(port: int, width: int = 80, height: int = 24, **environ: str) -> Tmux:
        tmux = Tmux(tmp_path / "tmux", COMMAND, environ_of(tmp_path, port) | environ)
        opened.append(tmux)
        tmux.start(width, height)
        return tmux

    yield start
    for tmux in opened:
        tmux.stop()


def line_of(screen: str, text: str) -> str:
    return next((line for line in screen.splitlines() if text in line), "")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_badge_filter_details_and_copy_in_tmux(window: Open, width: int, height: int) -> None:
    run = make_run(3)
    with serving(FakeApi(make_runs(12), {run.id: [b"\x1b[32mall good\x1b[0m\n"]})) as port:
        tmux = window(port, width, height)
        screen = tmux.shows("the runs", lambda text: run.name in text and "live" in text)
        assert "CRD" in line_of(screen, run.name)
        assert "CRD" not in line_of(screen, "login-flow-1 ")

        tmux.type("o")
        tmux.shows("API runs only", lambda text: "login-flow-1 " in text and run.name not in text)
        tmux.type("o")
        tmux.shows("CRD runs only", lambda text: run.name in text and "login-flow-1 " not in text)

        tmux.type("/")
        tmux.text(run.name)
        tmux.type("Enter")
        tmux.shows("the search", lambda text: "1 of 12 shown" in text)
        tmux.type("Enter")
        tmux.shows("the details", lambda text: "Source" in text and "all good" in text)

        tmux.type("y", "Enter")
        tmux.shows("it is copied", lambda text: "Copied get through tmux" in text)
        assert tmux.clipboard() == kubectl.get(run)
        tmux.type("y", "j", "Enter")
        tmux.shows("it is copied", lambda text: "Copied describe through tmux" in text)
        assert tmux.clipboard() == kubectl.describe(run)

        tmux.type("q")
        tmux.shows("exit code 0", lambda text: "EXIT 0" in text)


def test_the_list_survives_an_outage_of_the_api(window: Open) -> None:
    api = FakeApi(make_runs(5))
    with serving(api) as port:
        tmux = window(port)
        tmux.shows("the runs", lambda text: "login-flow-1 " in text and "live" in text)
    tmux.shows("the banner", lambda text: "next try in" in text and "cannot be reached" in text)
    tmux.type("j", "Enter")
    tmux.shows("the details during the outage", lambda text: "Definition" in text)
    tmux.type("Escape")
    tmux.shows("the list", lambda text: "STATUS" in text)
    api.put(changed(make_run(1), status=Status.SUCCEEDED, duration=9.0))
    with serving(api, port):
        tmux.type("r")
        tmux.shows("it is live again", lambda text: "live" in text and "next try" not in text)
        tmux.shows("the change", lambda text: "✓ succeeded" in line_of(text, "login-flow-1 "))


def test_a_wrong_token_is_reported_with_advice(window: Open) -> None:
    with serving(FakeApi(make_runs(5))) as port:
        tmux = window(port, SPARKTEST_TOKEN="spt_wrong")
        tmux.shows("the advice", lambda text: "SPARKTEST_TOKEN" in text and "disconnected" in text)


def test_cancelling_a_run_needs_confirmation(window: Open) -> None:
    run = make_run(1)
    api = FakeApi(make_runs(5))
    with serving(api) as port:
        tmux = window(port)
        tmux.shows("the runs", lambda text: run.name in text)
        tmux.type("j", "c")
        tmux.shows("the question", lambda text: "Cancel this run?" in text)
        tmux.type("Enter")
        tmux.shows("the list", lambda text: "Cancel this run?" not in text)
        assert api.runs[run.id].cancel_requested_at is None
        tmux.type("c")
        tmux.shows("the question", lambda text: "Cancel this run?" in text)
        tmux.type("Right", "Enter")
        tmux.shows("the cancellation", lambda text: "is being cancelled" in text)
        assert api.runs[run.id].cancel_requested_at is not None


def test_without_colour_every_status_is_readable(window: Open) -> None:
    with serving(FakeApi(make_runs(8))) as port:
        tmux = window(port, NO_COLOR="1")
        screen = tmux.shows("the runs", lambda text: "cart-races-7" in text)
    for status in ("○ pending", "● running", "✗ failed", "✓ succeeded", "◷ timed out", "CRD"):
        assert status in screen


def test_no_control_sequence_of_a_name_or_a_log_reaches_the_terminal(tmp_path: Path) -> None:
    runs = [hostile(text, 2 + number) for number, text in enumerate(TERMINAL)]
    logs = {run.id: [f"{run.name}\n".encode(), b"the end\n"] for run in runs}
    with serving(FakeApi(runs, logs)) as port:
        written = on_a_terminal(environ_of(tmp_path, port), [b"\r", b"\x1b", b"y"], runs[0])
    # No title, clipboard, link or reset sequence; the letters of the names are kept.
    for sequence in (b"]52;", b"]0;", b"]8;", b"\x1bc", "\x9b".encode(), "\u202e".encode()):
        assert sequence not in written
    assert b"name" in written
    assert b"the end" in written


def on_a_terminal(environ: dict[str, str], keys: list[bytes], run: Run) -> bytes:
    """Return the output of the terminal UI; press each key once the previous one took effect."""
    pid, file = pty.fork()
    if pid == 0:
        os.execve(COMMAND[0], COMMAND, environ | {"TERM": "xterm-256color"})
    try:
        written = _until(file, b"live")
        for key, shown in zip(keys, (b"the end", b"STATUS", run.id[:8].encode()), strict=True):
            os.write(file, key)
            written += _until(file, shown)
        return written
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(file)


def _until(file: int, shown: bytes, seconds: float = 60.0) -> bytes:
    """Return the output up to and including these bytes."""
    written, deadline = b"", time.monotonic() + seconds
    while shown not in written:
        assert time.monotonic() < deadline, f"timed out waiting for {shown!r}: {written[-2000:]!r}"
        if select.select([file], [], [], 0.2)[0]:
            written += os.read(file, 65536)
    return written
