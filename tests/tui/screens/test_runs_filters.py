"""The filters and the search of the list of runs."""

from textual.widgets import Input

from sparktest.domain import Origin, Status
from sparktest.tui.widgets.run_list import RunList
from tests.tui.driver import AppPilot, drive
from tests.tui.fakes import FakeApi, make_run, make_runs


def test_the_origin_filter_cycles_through_all_api_crd():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1", "search-load-2")
        seen = []
        for _ in range(3):
            await ui.press("o")
            seen.append(
                {ui.api.runs[run.id].origin for run in make_runs(6) if run.name in ui.run_names()}
            )
        assert seen == [{Origin.API}, {Origin.CRD}, {Origin.API, Origin.CRD}]

    drive(scenario, api=FakeApi(make_runs(6)))


def test_the_status_filter_cycles_through_all_statuses():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("dns-canary-9")
        seen = []
        for _ in range(7):
            await ui.press("s")
            seen.append(ui.app.store.filter.status)
            for row in range(len(ui.app.store)):
                assert ui.app.store.at(row).status is (seen[-1] or ui.app.store.at(row).status)
        assert seen == [*Status, None]

    drive(scenario, api=FakeApi(make_runs(10)))


def test_the_namespace_filter_offers_the_namespaces_of_the_runs():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("payments-contract-3")
        await ui.press("n", "n")
        await ui.shows("ns qa")
        assert ui.run_names() == ["payments-contract-3"]

    drive(scenario, api=FakeApi(make_runs(4)))


def test_each_key_narrows_the_search_and_escape_clears_it():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("slash", *"team-w")
        await ui.shows("2 of 8 shown")
        assert ui.run_names() == ["search-load-2", "mail-delivery-6"]
        await ui.press(*" failed", "enter")
        assert ui.run_names() == ["search-load-2"]
        assert isinstance(ui.app.focused, RunList)
        await ui.press("escape")
        assert len(ui.run_names()) == 8

    drive(scenario, api=FakeApi(make_runs(8)))


def test_keys_typed_before_the_search_is_open_go_into_the_search():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        ui.type("slash", *"cDqosn", "backspace", "y")
        await ui.wait_for(lambda: ui.app.store.filter.search == "cDqosy")
        assert ui.app.screen.query_one(Input).value == "cDqosy"
        assert len(ui.app.screen_stack) == 2

    drive(scenario, api=FakeApi(make_runs(3)))


def test_letters_typed_into_the_search_run_no_actions():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("slash", *"qcDosn")
        assert ui.app.screen.query_one(Input).value == "qcDosn"
        assert ui.app.store.filter.origin is None

    drive(scenario, api=FakeApi(make_runs(3)))


def test_the_footer_shows_only_the_keys_of_the_search_while_it_is_open():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1", "q quit")
        await ui.press("slash", *"l")
        await ui.wait_for(lambda: ui.footer() == "⏎ keep esc clear", "the keys of the search")
        await ui.press("enter")
        await ui.shows("“l”", "⏎ open", "q quit")

    drive(scenario, api=FakeApi(make_runs(3)))


def test_a_search_without_matches_shows_the_filters_and_how_to_clear_them():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("login-flow-1")
        await ui.press("o", "slash", *"zzz", "enter")
        await ui.shows("No run matches.", "origin api", "“zzz”", "esc shows all runs again")
        await ui.press("escape")
        await ui.shows("login-flow-1")

    drive(scenario, api=FakeApi(make_runs(3)))


def test_the_list_keeps_the_keyboard_while_a_filter_matches_nothing():
    async def scenario(ui: AppPilot) -> None:
        await ui.shows("payments-contract-13")
        await ui.press("s", "s")
        await ui.shows("No run matches.", "status running")
        await ui.press("s")
        await ui.shows("status succeeded", "2 of 2 shown", "⏎ open")
        await ui.press("j")
        assert ui.app.store.current == runs[1]
        assert ui.app.store.filter.search == ""
        await ui.press("enter")
        await ui.shows("› runs › payments-contract-13")

    runs = [make_run(3), make_run(13)]
    drive(scenario, api=FakeApi(runs))
