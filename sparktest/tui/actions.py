"""Every action of the user: the one list behind keys, footer, help and command palette."""

from typing import NamedTuple

from textual.binding import Binding


class Action(NamedTuple):
    """An action of the user.

    `action` names a method `action_…` of the screen, widget or app that the group belongs to;
    `hint` is its word in the footer, where an action without one is not shown; `palette` is False
    for what only makes sense as a key.
    """

    action: str
    keys: str
    help: str
    hint: str = ""
    shown_as: str = ""
    palette: bool = True


EVERYWHERE = (
    Action("help", "question_mark", "Show this help", "help", "?"),
    Action("poll_now", "r", "Read the runs again now", shown_as="r"),
    Action(
        "command_palette", "ctrl+p", "Search these actions by name", shown_as="^p", palette=False
    ),
    Action("quit", "q,ctrl+q", "Quit", "quit", "q"),
)
RUNS = (
    Action("search", "slash", "Search in every column; all words must match", "search", "/"),
    Action("origin", "o", "Show runs of origin all, api, crd", "origin", "o"),
    Action("status", "s", "Show runs of one status", "status", "s"),
    Action("namespace", "n", "Show runs of one namespace", "ns", "n"),
    Action("clear", "escape", "Clear search and filters", shown_as="esc"),
    Action("app.copy", "y", "Copy a kubectl command, id or name of the run", "copy", "y"),
    Action("app.cancel", "c", "Cancel the run, after a question", "cancel", "c"),
    Action("app.delete", "D", "Delete a finished run and its log, after a question", shown_as="D"),
)
LIST = (
    Action("open", "enter", "Open the run", "open", "⏎"),
    Action("move(1)", "j,down", "Down", shown_as="j ↓", palette=False),
    Action("move(-1)", "k,up", "Up", shown_as="k ↑", palette=False),
    Action("page(1)", "pagedown,ctrl+f", "A page down", shown_as="PgDn", palette=False),
    Action("page(-1)", "pageup,ctrl+b", "A page up", shown_as="PgUp", palette=False),
    Action("first", "g,home", "To the newest run", shown_as="g"),
    Action("last", "G,end", "To the oldest run", shown_as="G"),
)
RUN = (
    Action("back", "escape", "Back to the list", "back", "esc"),
    Action("zoom", "l", "Show only the log, or the details too", "log", "l"),
    Action("app.copy", "y", "Copy the command in focus, or choose what to copy", "copy", "y"),
    Action("app.cancel", "c", "Cancel the run, after a question", "cancel", "c"),
    Action("app.delete", "D", "Delete a finished run and its log, after a question", shown_as="D"),
    Action(
        "app.focus_next", "tab", "To the next command, or to the log", shown_as="tab", palette=False
    ),
)
LOG = (
    Action("find", "slash", "Search in the log", "find", "/"),
    Action("next(1)", "n", "To the next match", shown_as="n"),
    Action("next(-1)", "N", "To the previous match", shown_as="N"),
    Action("follow", "f", "Follow the end of the log", "follow", "f"),
    Action("wrap", "w", "Wrap long lines", "wrap", "w"),
    Action("save", "S", "Save the log to a file that only you can read", "save", "S"),
    Action("move(0, 1)", "j,down", "Down", shown_as="j ↓", palette=False),
    Action("move(0, -1)", "k,up", "Up", shown_as="k ↑", palette=False),
    Action("move(8, 0)", "right", "Right", shown_as="→", palette=False),
    Action("move(-8, 0)", "h,left", "Left", shown_as="h ←", palette=False),
    Action("page(1)", "pagedown,ctrl+f,space", "A page down", shown_as="PgDn", palette=False),
    Action("page(-1)", "pageup,ctrl+b", "A page up", shown_as="PgUp", palette=False),
    Action("first", "g,home", "To the first line", shown_as="g"),
    Action("last", "G,end", "To the last line, and follow", shown_as="G"),
)
GROUPS = {"Runs": RUNS, "List": LIST, "Run": RUN, "Log": LOG, "Everywhere": EVERYWHERE}


def bindings(group: tuple[Action, ...]) -> list[Binding]:
    """Return the bindings of these actions; those with a hint are shown in the footer."""
    return [
        Binding(
            each.keys,
            each.action,
            each.hint or each.help,
            show=bool(each.hint),
            key_display=each.shown_as or None,
        )
        for each in group
    ]
