"""The log on the screen of a run: followed, searched, scrolled, saved."""

import stat
from collections.abc import Iterator
from threading import Event

from sparktest.domain import Log, LogState
from sparktest.errors import UnavailableError
from sparktest.tui.widgets import log_pane
from sparktest.tui.widgets.log_view import LogView
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_run, make_runs
from tests.tui.screens.opening import log_of, opened


def view(ui: AppPilot) -> LogView:
    return ui.app.screen.query_one(LogView)


def test_the_log_is_followed_while_the_run_is_active():
    run, more = make_run(1), Event()

    def rest(run_id: str) -> Iterator[bytes]:
        yield b"10 %\r20 %"
        more.wait(60)
        yield "\r100 % ä".encode()[:-1]
        yield "ä".encode()[1:] + b"\nlast\n"

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("first", "20 %", "2 lines", "following")
        assert "10 %" not in ui.screen()
        more.set()
        await ui.shows("100 % ä", "last", "3 lines")
        assert "20 %" not in ui.screen()

    api = FakeApi(make_runs(6), {run.id: [b"first\n"]})
    api.more = rest
    drive(scenario, api=api)


def test_the_last_line_stays_visible_until_the_user_scrolls_up():
    run = make_run(1)
    lines = "".join(f"line {number}\n" for number in range(500))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("line 499")
        await ui.press("k")
        assert not view(ui).following
        view(ui).append("more\n", "")
        await ui.pilot.pause()
        assert "more" not in ui.screen()
        await ui.press("G")
        await ui.shows("more")
        assert view(ui).following
        await ui.press("g")
        await ui.shows("line 0")

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, lines)))


def test_the_last_line_is_visible_when_a_long_line_makes_a_scrollbar_appear():
    run, ready = make_run(3), Event()

    def lines(run_id: str) -> Iterator[bytes]:
        ready.wait(60)
        yield b"".join(b"line %d\n" % number for number in range(30))
        yield b"x" * 300 + b"\nthe last line\n"

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.wait_for(lambda: view(ui).size.height > 0)
        assert not view(ui).show_horizontal_scrollbar
        ready.set()
        await ui.shows("the last line")
        await ui.wait_for(lambda: view(ui).show_horizontal_scrollbar)
        await ui.shows("the last line")

    api = FakeApi(make_runs(6))
    api.more = lines
    drive(scenario, api=api)


def test_a_search_counts_its_matches_and_wraps_around():
    run = make_run(3)
    lines = "".join(f"step {n} {'FAIL' if n % 50 == 7 else 'ok'}\n" for n in range(200))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("step 199")
        await ui.press("g", "slash", *"fail", "enter")
        await ui.shows("“fail” 1 of 4", "step 7 FAIL")
        seen = []
        for key in ("n", "n", "n", "n", "N"):
            await ui.press(key)
            seen.append(view(ui).match)
        assert seen == [1, 2, 3, 0, 3]
        await ui.shows("“fail” 4 of 4", "step 157 FAIL")
        await ui.press("slash", *["backspace"] * 4, *"zzz", "enter")
        await ui.shows("“zzz” 0 of 0")

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, lines)))


def test_the_footer_shows_only_the_keys_of_the_log_search_while_it_is_open():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.press("slash", *"l/?")
        await ui.wait_for(lambda: ui.footer() == "⏎ find esc close", "the keys of the search")
        await ui.press("escape")
        await ui.shows("/ find", "esc back")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_escape_closes_the_search_before_the_details():
    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        await ui.press("slash", *"q")
        await ui.press("escape")
        await ui.shows("› runs ›")
        await ui.press("escape")
        await ui.shows("STATUS")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_the_end_of_a_long_line_is_reached_by_scrolling_or_wrapping():
    run = make_run(3)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("start")
        assert "the end" not in ui.screen()
        await ui.press("w")
        await ui.shows("wrapped", "the end")
        await ui.press("w", *["right"] * 20)
        await ui.shows("the end")

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, f"start {'x' * 150} the end\n")))


def test_a_saved_log_is_complete_and_readable_only_by_its_owner(tmp_path, monkeypatch):
    run = make_run(3)
    monkeypatch.chdir(tmp_path)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("two")
        await ui.press("S")
        await ui.shows("Saved the log to")
        await ui.press("S")
        await ui.wait_for(lambda: len(list(tmp_path.iterdir())) == 2)

    drive(scenario, api=FakeApi(make_runs(6), log_of(run, "\x1b[1mone\x1b[0m\ntwo")))
    saved = sorted(tmp_path.iterdir())
    assert [path.name for path in saved] == [f"{run.job_name}-1.log", f"{run.job_name}.log"]
    assert all(path.read_text() == "one\ntwo" for path in saved)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in saved)


def test_saving_a_log_reports_why_it_failed(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, make_run(3))
        folder.rmdir()
        await ui.press("S")
        await ui.shows("No such file or directory")

    drive(scenario, api=FakeApi(make_runs(6)))


def test_an_interrupted_log_resumes_where_it_stopped(monkeypatch):
    run, breaks = make_run(1), iter([True, False])
    monkeypatch.setattr(log_pane, "RETRY_SECONDS", 0.01)

    def rest(run_id: str) -> Iterator[bytes]:
        yield b"one\ntwo\n"
        if next(breaks):
            raise UnavailableError("the connection was cut")
        yield b"three\n"
        Event().wait(0.5)

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        await ui.shows("three", "3 lines")
        assert view(ui).log_lines.text() == "one\ntwo\nthree\n"

    api = FakeApi(make_runs(6))
    api.more = rest
    drive(scenario, api=api)


def test_a_log_that_was_not_stored_shows_the_reason():
    run = make_run(3, log=Log(state=LogState.NONE, reason="NodeLost"))

    async def scenario(ui: AppPilot) -> None:
        await opened(ui, run)
        screen = await ui.shows("No log was stored: NodeLost")
        assert screen.count("NodeLost") == 1

    drive(scenario, api=FakeApi([run]))
