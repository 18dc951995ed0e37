from threading import Event

import pytest

from sparktest.domain import Status
from sparktest.tui.text import STARTED_FROM
from sparktest.tui.widgets.run_list import RunList
from tests.tui.driver import AppPilot, drive, watch_painting
from tests.tui.fakes import NOW, FakeApi, changed, make_run, make_runs, unreachable


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
def test_the_rows_show_status_badge_name_definition_namespace_duration_and_age(size):
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-11", "live")
        heading, row = ui.line("STATUS"), ui.line("login-flow-11")
        titles = ["STATUS", "NAME", "DEFINITION", "NAMESPACE", "DURATION", "AGE"]
        assert heading.split() == titles
        cells = ["login-flow-11", "login-flow ", "qa ", "6m51s", "8m"]
        assert row.split() == ["✓", "succeeded", "CRD", *(cell.strip() for cell in cells)]
        assert "CRD" not in ui.line("login-flow-1 ")
        left = zip(titles[1:4], cells, strict=False)
        assert all(heading.index(title) == row.index(cell) for title, cell in left)
        assert len(row) == len(heading)

    drive(scenario, api=FakeApi(make_runs(12)), size=size)


def test_the_header_counts_every_run_whatever_the_filter():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("✓ 34 of 52 passed", "✗ 12 failed", "● 1 running", "60 runs")
        await ui.press("o")
        await ui.shows("✓ 34 of 52 passed", "20 of 60 shown")

    drive(scenario, api=FakeApi(make_runs(60)))


def test_an_empty_list_shows_how_to_start_a_run():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows(
            "No runs yet.",
            "sparktest crd --example testrun | kubectl apply -f -",
            "sparktest run --image",
        )
        ui.api.put(make_run(1))
        await ui.poll()
        await ui.shows("login-flow-1")
        assert "No runs yet." not in ui.screen()

    drive(scenario)


def test_a_slow_api_is_shown_as_loading():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("Loading runs", "127.0.0.1:8080", "loading")
        answers.set()
        await ui.shows("login-flow-1", "live")

    api = FakeApi(make_runs(3))
    api.hold = answers = Event()
    drive(scenario, api=api)


def test_an_api_that_is_unreachable_at_the_start_is_reported_with_advice():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("Cannot read the runs.", "sparktest up", "r tries again now", "disconnected")
        api.error = None
        await ui.press("r")
        await ui.shows("login-flow-1", "live")

    api = FakeApi(make_runs(3))
    api.error = unreachable()
    drive(scenario, api=api)


def test_changes_of_the_api_appear_on_the_screen():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("● running")
        ui.api.put(changed(make_run(1), status=Status.SUCCEEDED, duration=65.0), make_run(9))
        await ui.poll()
        await ui.shows("dns-canary-9")
        assert ui.line("login-flow-1").split()[:2] == ["✓", "succeeded"]
        assert "1m05s" in ui.line("login-flow-1")

    drive(scenario, api=FakeApi(make_runs(4)))


def test_a_run_deleted_elsewhere_leaves_the_list():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        del ui.api.runs[make_run(1).id]
        await ui.poll()
        await ui.wait_for(lambda: "login-flow-1" not in ui.screen())

    drive(scenario, api=FakeApi(make_runs(4)))


def test_only_lines_with_changing_durations_and_ages_are_painted():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("1m04s")
        painted = await watch_painting(ui)
        ui.clock.advance(1)
        ui.app.sync()
        await ui.shows("1m05s", "21s")
        # Only the age of row 0 (20 s) and the duration of row 1 (running) change.
        assert set(painted) == {0, 1}

    drive(scenario, api=FakeApi(make_runs(15)))


def test_nothing_is_painted_when_nothing_visible_changed():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.wait_for(lambda: len(ui.app.store) == 300)
        painted = await watch_painting(ui)
        ui.api.put(changed(make_run(250), status=Status.CANCELLED))
        await ui.poll()
        assert ui.app.store.get(make_run(250).id) == api.runs[make_run(250).id] != make_run(250)
        assert painted == []

    api = FakeApi(make_runs(300))
    drive(scenario, api=api)


def test_the_cursor_stays_on_its_run_when_newer_runs_arrive():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("payments-contract-43")
        await ui.press("j", "j", "j")
        assert ui.app.store.current == make_run(43)
        ui.api.put(*make_runs(40))
        await ui.poll()
        assert ui.app.store.current == make_run(43)
        assert "payments-contract-43" in ui.screen()

    drive(scenario, api=FakeApi([make_run(number) for number in range(40, 60)]))


def test_a_scrolled_list_stays_in_place_when_newer_runs_arrive():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("checkout-smoke-50")
        await ui.press("G")
        before = ui.run_names()
        ui.api.put(*make_runs(50))
        await ui.poll()
        await ui.wait_for(lambda: len(ui.app.store) == 150)
        assert ui.run_names() == before
        ui.app.screen.query_one(RunList).scroll_to(y=60, animate=False)
        await ui.pilot.pause()
        before = ui.run_names()
        ui.api.put(make_run(5000, created_at=NOW))
        await ui.poll()
        await ui.wait_for(lambda: len(ui.app.store) == 151)
        assert ui.run_names() == before

    drive(scenario, api=FakeApi([make_run(number) for number in range(50, 150)]))


def test_vi_keys_and_arrows_move_the_cursor():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        cursor = []
        for key in ("j", "down", "k", "up", "G", "g", "pagedown", "pageup", "end", "home"):
            await ui.press(key)
            cursor.append(ui.app.store.cursor)
        page = ui.app.screen.query_one(RunList).size.height - 1
        assert cursor == [1, 2, 1, 0, 99, 0, page, 0, 99, 0]

    drive(scenario, api=FakeApi(make_runs(100)))


def test_the_cursor_is_always_visible():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        for key in ("G", "k", "pageup", "g", *["j"] * 25, "pagedown"):
            await ui.press(key)
            assert make_run(ui.app.store.cursor).name in ui.screen()

    drive(scenario, api=FakeApi(make_runs(100)))


def test_a_click_moves_the_cursor_and_a_double_click_opens_the_run():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("api-schema-5")
        await ui.pilot.click(RunList, offset=(30, 5))
        assert ui.app.store.current == make_run(5)
        await ui.pilot.click(RunList, offset=(30, 4), times=2)
        await ui.shows("› runs › nightly-regression-4")

    drive(scenario, api=FakeApi(make_runs(8)))


def test_the_badge_has_a_tooltip():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("search-load-2")
        runs = ui.app.screen.query_one(RunList)
        at = ui.line("search-load-2").index("CRD")
        tooltips = []
        for offset in ((at, 2), (at + 12, 2), (at, 1), (at, 15)):
            await ui.pilot.hover(RunList, offset=offset)
            tooltips.append(runs.tooltip)
        assert tooltips == [STARTED_FROM, None, None, None]

    drive(scenario, api=FakeApi(make_runs(5)))


def test_a_narrow_terminal_hides_columns_and_shows_a_note():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        assert "narrow: 60 columns" in ui.screen()
        assert "NAMESPACE" not in ui.screen()
        await ui.pilot.resize_terminal(80, 24)
        await ui.shows("NAMESPACE")
        assert "narrow" not in ui.screen()

    drive(scenario, api=FakeApi(make_runs(5)), size=(60, 20))


@pytest.mark.parametrize("width", [40, 60, 69])
def test_a_narrow_terminal_shows_the_footer(width):
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.wait_for(lambda: "/ search" in ui.screen().splitlines()[-1])
        await ui.press("enter")
        await ui.wait_for(lambda: "/ find" in ui.screen().splitlines()[-1])

    drive(scenario, api=FakeApi(make_runs(5)), size=(width, 20))


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (25, 6), (400, 100)])
def test_every_terminal_size_works(size):
    async def scenario(ui: AppPilot) -> None:
        await ui.wait_for(lambda: len(ui.app.store) == 30)
        await ui.press("j", "G", "enter", "escape", "question_mark", "escape", "y", "escape")
        assert ui.app.is_running

    drive(scenario, api=FakeApi(make_runs(30)), size=size)


def test_10000_runs_are_loaded_in_pages_and_g_jumps_to_the_oldest():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("10,000 runs")
        await ui.press("G")
        await ui.shows("dns-canary-9999")
        assert max(asked["limit"] for asked in api.requests) <= 1000

    api = FakeApi(make_runs(10_000))
    drive(scenario, api=api)


def test_a_theme_can_be_changed_while_the_list_is_shown():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        for name in ("textual-light", "ansi-dark", "nord", "sparktest"):
            ui.app.theme = name
            await ui.pilot.pause()
            assert "login-flow-1" in ui.screen()

    drive(scenario, api=FakeApi(make_runs(5)))


def test_on_16_colours_passed_failed_and_the_cursor_differ():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        ui.app.theme = "ansi-dark"
        await ui.pilot.pause()
        runs = ui.app.screen.query_one(RunList)
        names = ("name", "succeeded", "failed", "cursor")
        name, succeeded, failed, cursor = (
            runs.get_visual_style(f"run-list--{each}").rich_style for each in names
        )
        assert len({name.color, succeeded.color, failed.color}) == 3
        assert cursor.bgcolor != name.bgcolor

    drive(scenario, api=FakeApi(make_runs(5)))


def test_without_colour_a_status_has_its_glyph_and_word(monkeypatch):
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("search-load-2")
        assert ui.app.no_color
        for status in ("○ pending", "● running", "✗ failed", "✓ succeeded", "◷ timed out"):
            assert status in ui.screen()

    monkeypatch.setenv("NO_COLOR", "1")
    drive(scenario, api=FakeApi(make_runs(8)))
