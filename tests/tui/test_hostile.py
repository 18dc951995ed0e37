"""What comes from elsewhere is shown as it is: no markup, no action, no escape."""

import asyncio
from typing import Any

import msgspec
import pytest

from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Run, Status
from sparktest.errors import UnavailableError
from sparktest.sanitize import clean
from sparktest.tui.app import SparkTestApp
from sparktest.tui.screens.run import RunScreen
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
GROUPS = (MARKUP, TERMINAL, WIDE)
EVERYTHING = MARKUP + TERMINAL + WIDE


def hostile(words: str, number: int = 2) -> Run:
    """A run that says these words wherever a stranger may put them."""
    fields: dict[str, Any] = {
        "name": words,
        "origin": Origin.CRD,
        "status": Status.FAILED,
        "image": words,
        "commands": (words, words),
        "command": (words,),
        "definition_name": words,
        "status_reason": words,
        "status_message": words,
        "job_name": words,
        "namespace": words,
        "env": {words: words},
        "labels": {words: words},
        "failure": Failure(class_=FailureClass.TEST, reason=words, message=words),
        "k8s_ref": K8sRef(namespace=words, name=words, uid="u"),
    }
    return make_run(number, **fields)


def through_the_client(run: Run) -> Run:
    """The run as the app gets it: over the wire, made safe by the client."""
    return msgspec.convert(clean(msgspec.to_builtins(run)), Run)


def controls(ui: AppPilot) -> list[str]:
    """What the terminal would get beside text, line breaks of the grid left out."""
    return [c for c in ui.screen().replace("\n", "") if ord(c) < 32 or 127 <= ord(c) < 160]


def test_the_list_shows_every_text_and_nothing_else():
    runs = [through_the_client(hostile(words, 2 + n)) for n, words in enumerate(EVERYTHING)]

    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == len(EVERYTHING))
        assert controls(ui) == []
        for words in MARKUP:
            assert words in ui.screen()
        for _ in EVERYTHING:
            await ui.press("n", "j")
            assert controls(ui) == []

    drive(scenario, api=FakeApi(runs), size=(140, 40))


def test_details_and_logs_show_every_text_and_nothing_else():
    runs = [through_the_client(hostile(words, 2 + n)) for n, words in enumerate(EVERYTHING)]
    logs = {
        run.id: [f"log: {words}".encode("utf-8", "replace"), b"\nthe end\n"]
        for run, words in zip(runs, EVERYTHING, strict=True)
    }

    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == len(EVERYTHING))
        for words in EVERYTHING:
            await ui.press("enter")
            await ui.wait_for(lambda: isinstance(ui.app.screen, RunScreen), words)
            await ui.shows("› runs ›", "failed", "the end")
            assert controls(ui) == [], words
            if words in MARKUP:
                await ui.shows(f"› runs › {words}   ", f"TestRun   {words}", f"log: {words}")
            await ui.press("escape", "j")

    drive(scenario, api=FakeApi(runs, logs), size=(120, 50))


@pytest.mark.parametrize("words", ["[/]", "[@click=app.quit]x[/]", *map("".join, GROUPS)])
def test_questions_menus_and_toasts_show_every_text_and_nothing_else(words):
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

    drive(scenario, api=FakeApi([through_the_client(hostile(words))]), environ=XTERM)


def test_a_click_on_a_name_is_no_action():
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


def test_what_a_server_says_of_an_error_is_shown_as_it_is():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        for words in EVERYTHING:
            ui.api.error = UnavailableError(f"cause {words}")
            await ui.press("r")
            await ui.shows("cause", "next try in")
            assert controls(ui) == [], words
            ui.app.notify(words)
            await ui.press("j")
            assert controls(ui) == [], words
            ui.app.clear_notifications()

    drive(scenario, api=FakeApi([make_run(0), make_run(1)]))


def test_what_is_typed_into_the_search_is_no_markup():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("slash", *"[/]", "enter")
        await ui.shows("“[/]”", "No run matches.")

    drive(scenario, api=FakeApi([make_run(1)]))


def test_the_app_is_given_a_client_that_makes_every_answer_safe(monkeypatch):
    made = []

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            raise AssertionError(text)

    def stay(app: SparkTestApp) -> None:
        made.append(app._api)

    from sparktest.settings import Settings
    from sparktest.tui import app as module

    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", Terminal())
    monkeypatch.setattr(SparkTestApp, "run", stay)
    assert module.run(Settings()) == 0
    (api,) = made
    assert isinstance(api, ApiClient)
    assert api._http.clean is clean


def test_no_escape_of_a_log_reaches_a_real_terminal_driver():
    """The bytes that a driver is given, not only the grid of the screen."""
    run = hostile("n", 3)
    written: list[str] = []

    async def play() -> None:
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

    asyncio.run(play())
    assert all("]52" not in chunk and "]0;" not in chunk for chunk in written)
