from collections import Counter

import pytest

from sparktest.tui import actions
from sparktest.tui.app import SparkTestApp
from sparktest.tui.screens.run import RunScreen
from sparktest.tui.screens.runs import RunsScreen
from sparktest.tui.widgets.log_view import LogView
from sparktest.tui.widgets.run_list import RunList
from tests.tui.driver import AppPilot, drive

OWNERS = {
    "Runs": RunsScreen,
    "List": RunList,
    "Run": RunScreen,
    "Log": LogView,
    "Everywhere": SparkTestApp,
}
# Acts that reach the same keys at once: of a screen, of what has its focus, and of the app.
TOGETHER = (("Runs", "List", "Everywhere"), ("Run", "Log", "Everywhere"))
ACTS = [(group, act) for group, acts in actions.GROUPS.items() for act in acts]


@pytest.mark.parametrize(("group", "act"), ACTS, ids=[f"{g}-{a.keys}" for g, a in ACTS])
def test_every_act_can_be_carried_out(group, act):
    name = act.action.split("(")[0]
    owner = SparkTestApp if name.startswith("app.") else OWNERS[group]
    assert callable(getattr(owner, f"action_{name.removeprefix('app.')}"))
    assert act.help


@pytest.mark.parametrize("groups", TOGETHER, ids="+".join)
def test_no_key_means_two_things_at_once(groups):
    keys = Counter(
        key for group in groups for act in actions.GROUPS[group] for key in act.keys.split(",")
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_nothing_that_ends_or_deletes_a_run_is_on_a_key_of_movement():
    harmful = {
        key
        for _, act in ACTS
        if act.action in ("app.cancel", "app.delete")
        for key in act.keys.split(",")
    }
    assert harmful == {"c", "D"}


@pytest.mark.parametrize("groups", TOGETHER, ids="+".join)
def test_the_hints_fit_in_the_footer_of_a_small_terminal(groups):
    hints = [act for group in groups for act in actions.GROUPS[group] if act.hint]
    assert sum(len(act.shown_as) + len(act.hint) + 2 for act in hints) <= 80


def test_the_help_shows_every_act():
    async def scenario(ui: AppPilot) -> None:
        await ui.press("question_mark")
        seen = await ui.shows("Keys")
        for _, act in ACTS:
            assert act.help in seen
        await ui.press("escape")
        assert "Keys" not in ui.screen()

    drive(scenario, size=(100, 80))


def test_the_palette_finds_an_act_by_its_words_and_does_it():
    async def scenario(ui: AppPilot) -> None:
        await ui.press("ctrl+p")
        await ui.shows("Choose a theme", "Show runs of origin")
        await ui.press(*"origin")
        await ui.wait_for(lambda: "Choose a theme" not in ui.screen(), "only what matches")
        await ui.press("down", "enter")
        await ui.wait_for(lambda: ui.app.store.filter.origin is not None)

    drive(scenario, size=(80, 60))
