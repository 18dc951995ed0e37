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
# The groups of a screen, of its focused widget and of the app are active at the same time.
ACTIVE_TOGETHER = (("Runs", "List", "Everywhere"), ("Run", "Log", "Everywhere"))
ACTIONS = [(group, action) for group, members in actions.GROUPS.items() for action in members]


@pytest.mark.parametrize(("group", "action"), ACTIONS, ids=[f"{g}-{a.keys}" for g, a in ACTIONS])
def test_every_action_has_a_method(group, action):
    name = action.action.split("(")[0]
    owner = SparkTestApp if name.startswith("app.") else OWNERS[group]
    assert callable(getattr(owner, f"action_{name.removeprefix('app.')}"))
    assert action.help


@pytest.mark.parametrize("groups", ACTIVE_TOGETHER, ids="+".join)
def test_no_key_has_two_actions_at_once(groups):
    keys = Counter(
        key
        for group in groups
        for action in actions.GROUPS[group]
        for key in action.keys.split(",")
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_only_c_cancels_and_only_shift_d_deletes():
    harmful = {
        key
        for _, action in ACTIONS
        if action.action in ("app.cancel", "app.delete")
        for key in action.keys.split(",")
    }
    assert harmful == {"c", "D"}


@pytest.mark.parametrize("groups", ACTIVE_TOGETHER, ids="+".join)
def test_the_hints_fit_in_the_footer_of_a_small_terminal(groups):
    hints = [action for group in groups for action in actions.GROUPS[group] if action.hint]
    assert sum(len(action.shown_as) + len(action.hint) + 2 for action in hints) <= 80


def test_the_help_shows_every_action():
    async def scenario(ui: AppPilot) -> None:
        await ui.press("question_mark")
        seen = await ui.shows("Keys")
        for _, action in ACTIONS:
            assert action.help in seen
        await ui.press("escape")
        assert "Keys" not in ui.screen()

    drive(scenario, size=(100, 80))


def test_the_command_palette_finds_and_runs_an_action():
    async def scenario(ui: AppPilot) -> None:
        await ui.press("ctrl+p")
        await ui.shows("Choose a theme", "Cycle the origin filter")
        await ui.press(*"origin")
        await ui.wait_for(lambda: "Choose a theme" not in ui.screen(), "only what matches")
        await ui.press("down", "enter")
        await ui.wait_for(lambda: ui.app.store.filter.origin is not None)

    drive(scenario, size=(80, 60))
