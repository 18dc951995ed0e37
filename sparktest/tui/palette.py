"""What the command palette offers: the acts of the screen that it is opened over."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.dom import DOMNode
from textual.screen import Screen

from sparktest.tui import actions
from sparktest.tui.screens.run import RunScreen
from sparktest.tui.screens.runs import RunsScreen
from sparktest.tui.widgets.log_view import LogView
from sparktest.tui.widgets.run_list import RunList


def commands(app: App[Any], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Each act that makes sense without its key, and the choice of a theme."""
    for target, acts in _groups(app, screen):
        for act in acts:
            if act.palette:
                call = partial(app.run_action, act.action, target)
                yield SystemCommand(act.help, f"key {act.shown_as}", call)
    yield SystemCommand("Choose a theme", "dark, light, or a terminal's own", app.search_themes)


def _groups(app: App[Any], screen: Screen[Any]) -> list[tuple[DOMNode, tuple[actions.Act, ...]]]:
    if isinstance(screen, RunsScreen):
        own = [(screen, actions.RUNS), (screen.query_one(RunList), actions.LIST)]
    elif isinstance(screen, RunScreen):
        own = [(screen, actions.RUN), (screen.query_one(LogView), actions.LOG)]
    else:
        own = []
    return [*own, (app, actions.EVERYWHERE)]
