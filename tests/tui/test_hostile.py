"""Untrusted text is shown verbatim: no markup, no action, no escape sequence."""

import asyncio
from typing import Any

import msgspec
import pytest

from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Run, Status
from sparktest.errors import UnavailableError
from sparktest.sanitize import clean
from sparktest.settings import Settings
from sparktest.tui.app import SparkTestApp
from sparktest.tui.app import run as run_tui
from sparktest.tui.screens.run import RunScreen
from sparktest.tui.state import Filter
from sparktest.tui.text import namespace
from sparktest.tui.widgets.run_list import RunList
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, StoppedClock, make_run

XTERM = {"TERM": "xterm-256color"}
MARKUP = [
    "[/]",
    "x[/red]",
    "[red]x",
    "[link=http://x]y",
    "[@click=app.quit]x[/]",
    "[@click=app.boom('x')]name[/]",
    "z [b",
    "trailing \\",
    "x\\[red]",
    "$text-error",
    "{0} %s %d",
]
TERMINAL = [
    "\x1b]52;c;aGFja2Vk\x07name",
    "\x1b]0;title\x1b\\name",
    "\x1b[2J\x1b[Hname",
    "\x9b31mname",
    "na\u202eme",
    "na\u200bme",
    "na\x00me\x08",
    "\x1bP1$r\x1b\\name",
    "a\r\nb\tc\x0bd",
    "\x1b]8;;http://evil\x07name\x1b]8;;\x07",
    "name\x1b",
]
WIDE = ["日本語" * 60, "👩‍👩‍👧‍👦" * 20, "é́̂̃" * 40, "x" * 10_000, "", " ", "ا" * 90, "\ud7ff\ufffe"]
STRINGS = MARKUP + TERMINAL + WIDE
# All strings of a kind in one, to test them on one screen.
JOINED = [" | ".join(strings) for strings in (MARKUP, TERMINAL, WIDE)]


def hostile(string: str, number: int = 2) -> Run:
    """Return a run with this string in every field that a client may set."""
    fields: dict[str, Any] = {
        "name": string,
        "origin": Origin.CRD,
        "status": Status.FAILED,
        "image": string,
        "commands": (string, string),
        "command": (string,),
        "definition_name": string,
        "status_reason": string,
        "status_message": string,
        "job_name": string,
        "namespace": string,
        "env": {string: string},
        "labels": {string: string},
        "failure": Failure(class_=FailureClass.TEST, reason=string, message=string),
        "k8s_ref": K8sRef(namespace=string, name=string, uid="u"),
    }
    return make_run(number, **fields)


def through_the_client(run: Run) -> Run:
    """Return the run as the client returns it, without control characters."""
    return msgspec.convert(clean(msgspec.to_builtins(run)), Run)


def controls(ui: AppPilot) -> list[str]:
    """Return the control characters on the screen."""
    return [c for c in ui.screen().replace("\n", "") if ord(c) < 32 or 127 <= ord(c) < 160]


def test_the_list_shows_hostile_texts_verbatim():
    runs = [through_the_client(hostile(string, 2 + n)) for n, string in enumerate(STRINGS)]

    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == len(STRINGS))
        await ui.shows(*MARKUP)
        assert controls(ui) == []
        for run in runs:
            # The header shows the filter.
            ui.app.store.show(Filter(namespace=namespace(run)))
            ui.app.sync()
            await ui.pilot.pause(0)
            assert controls(ui) == []

    drive(scenario, api=FakeApi(runs), size=(140, 40))


@pytest.mark.parametrize(("string", "width"), list(zip(JOINED, (400, 80, 80), strict=True)))
def test_the_run_screen_shows_hostile_texts_verbatim(string, width):
    run = through_the_client(hostile(string))

    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == 1)
        await ui.press("enter")
        await ui.wait_for(lambda: isinstance(ui.app.screen, RunScreen))
        await ui.shows("› runs ›", "failed", "the end")
        assert controls(ui) == []
        if width == 400:
            await ui.shows(f"› runs › {string}   ", f"TestRun    {string}", f"log: {string}")

    log = [f"log: {string}".encode("utf-8", "replace"), b"\nthe end\n"]
    drive(scenario, api=FakeApi([run], {run.id: log}), size=(width, 30))


@pytest.mark.parametrize("string", ["[/]", "[@click=app.quit]x[/]", *JOINED])
def test_dialogs_and_toasts_show_hostile_texts_verbatim(string):
    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == 1)
        await ui.press("D")
        await ui.shows("Delete this run?")
        assert controls(ui) == []
        await ui.press("escape", "y")
        await ui.shows("Copy")
        assert controls(ui) == []
        await ui.press("enter")
        await ui.shows("Copied get")
        assert controls(ui) == []

    drive(scenario, api=FakeApi([through_the_client(hostile(string))]), environ=XTERM)


def test_a_click_on_markup_in_a_name_runs_no_action():
    run = through_the_client(hostile("[@click=app.quit]click me[/]"))

    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == 1)
        at = ui.line(" CRD ").index("click me")
        await ui.pilot.click(RunList, offset=(at, 0))
        await ui.press("enter")
        await ui.shows("Definition")
        for y, row in enumerate(ui.screen().splitlines()):
            if "click me" in row and y:
                await ui.pilot.click(offset=(row.index("click me"), y))
        assert ui.app.is_running
        assert ui.app._exit is False

    drive(scenario, api=FakeApi([run]), environ=XTERM, size=(120, 40))


def test_hostile_error_messages_are_shown_verbatim():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        for string in STRINGS:
            ui.api.error = UnavailableError(f"cause {string}")
            ui.app.poller.failed(ui.api.error, ui.clock.monotonic())
            ui.app.sync()
            ui.app.notify(string)
            await ui.shows("cause", "next try in")
            assert controls(ui) == [], string
            ui.app.clear_notifications()

    drive(scenario, api=FakeApi([make_run(0), make_run(1)]))


def test_a_search_for_markup_is_shown_verbatim():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("slash", *"[/]", "enter")
        await ui.shows("“[/]”", "No run matches.")

    drive(scenario, api=FakeApi([make_run(1)]))


def test_the_client_of_the_app_sanitizes_every_answer(monkeypatch):
    made = []

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            raise AssertionError(text)

    def fake_run(app: SparkTestApp) -> None:
        made.append(app._api)

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", Terminal())
    monkeypatch.setattr(SparkTestApp, "run", fake_run)
    assert run_tui(Settings()) == 0
    (api,) = made
    assert isinstance(api, ApiClient)
    assert api._http.clean is clean


def test_no_escape_sequence_of_a_log_reaches_the_driver():
    run = hostile("n", 3)
    written: list[str] = []

    async def run_app() -> None:
        api = FakeApi([run], {run.id: [b"\x1b]52;c;aGFja2Vk\x07\x1b]0;owned\x07\x9b2Jlog text\n"]})
        app = SparkTestApp(api, clock=StoppedClock(), environ={})  # type: ignore[arg-type]
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            app._driver.write = written.append  # type: ignore[union-attr, method-assign]
            ui = AppPilot(app, pilot, api)
            await ui.wait_for(lambda: len(app.store) == 1)
            await ui.press("enter")
            await ui.shows("log text")
            app.screen.refresh()
            await pilot.pause()

    asyncio.run(run_app())
    assert all("]52" not in chunk and "]0;" not in chunk for chunk in written)
