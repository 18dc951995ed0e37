import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sparktest.settings import Settings
from sparktest.tui import app
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_runs

HEAVY = ("flask", "sqlalchemy", "kubernetes", "marshmallow", "alembic", "gunicorn")


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_without_a_terminal_it_prints_one_line_and_exits_with_2(monkeypatch, name):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    streams = {each: Terminal() for each in ("stdin", "stdout", "stderr")}
    streams[name] = io.StringIO()  # type: ignore[assignment]
    for each, stream in streams.items():
        monkeypatch.setattr(sys, each, stream)
    assert app.run(Settings()) == 2
    output = streams["stderr"].getvalue()
    assert output.count("\n") == 1
    assert "sparktest runs" in output


def test_the_ui_imports_no_server_library():
    code = (
        "import json, sys, sparktest.tui.app;"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == []


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080/api", "127.0.0.1:8080"),
        ("https://user:secret@tests.example/api", "tests.example"),
    ],
)
def test_the_address_shown_holds_no_password(url, address):
    assert app._address(url) == address


def test_a_crash_prints_one_line_and_writes_a_traceback_without_values(capsys):
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        token = "spt_secret_value"  # noqa: F841 - a trace with locals would show it

        def broken() -> None:
            raise LookupError("broken")

        ui.app.call_later(broken)
        await ui.wait_for(lambda: not ui.app.is_running)

    with pytest.raises(LookupError):
        drive(scenario, api=FakeApi(make_runs(3)))
    output = capsys.readouterr().err
    path = Path(output.split("attach")[1].strip())
    assert "Traceback" not in output
    assert "(LookupError)" in output
    assert "broken" in path.read_text()
    assert "spt_secret_value" not in path.read_text()
    path.unlink()


def test_the_crash_report_is_readable_only_by_its_owner():
    path = Path(app.crash_report(ValueError("é\ud800")).split()[-1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()


def test_ctrl_c_shows_the_key_that_quits():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("ctrl+c")
        await ui.shows("Press q to quit")
        await ui.press("slash", "ctrl+c")
        await ui.shows("Press ctrl+q to quit")
        assert "[b]" not in ui.screen()
        await ui.press("ctrl+q")
        await ui.wait_for(lambda: not ui.app.is_running)

    drive(scenario, api=FakeApi(make_runs(3)))
