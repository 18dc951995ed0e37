"""Every action of the user: the source of key bindings, footer, help and command palette."""

from typing import NamedTuple

from textual.binding import Binding


class Action(NamedTuple):
    """An action of the user.

    Attributes:
        action: the method `action_…` of the screen, widget or app that the group belongs to.
        keys: Textual's names of the keys, separated by commas.
        shown_as: the keys as the user sees them.
        help: what the action does.
        hint: its word in the footer; an action without one is not in the footer.
        palette: True when the command palette offers it.
    """

    action: str
    keys: str
    shown_as: str
    help: str
    hint: str = ""
    palette: bool = True


EVERYWHERE = (
    Action("help", "question_mark", "?", "Show this help", "help"),
    Action("poll_now", "r", "r", "Refresh the runs now"),
    Action("command_palette", "ctrl+p", "^p", "Search these actions by name", palette=False),
    Action("quit", "q", "q", "Quit", "quit"),
)
CANCEL = Action("app.cancel", "c", "c", "Cancel the run (asks first)", "cancel")
DELETE = Action("app.delete", "D", "D", "Delete a finished run and its log (asks first)")
RUNS = (
    Action("search", "slash", "/", "Search every column; all words must match", "search"),
    Action("origin", "o", "o", "Cycle the origin filter: all, api, crd", "origin"),
    Action("status", "s", "s", "Cycle the status filter", "status"),
    Action("namespace", "n", "n", "Cycle the namespace filter", "ns"),
    Action("clear", "escape", "esc", "Clear the search and the filters"),
    Action("app.copy", "y", "y", "Copy a kubectl command, the id or the name of the run", "copy"),
    CANCEL,
    DELETE,
)
LIST = (
    Action("open", "enter", "⏎", "Open the run", "open"),
    Action("move(1)", "j,down", "j ↓", "Down", palette=False),
    Action("move(-1)", "k,up", "k ↑", "Up", palette=False),
    Action("page(1)", "pagedown,ctrl+f", "PgDn", "Page down", palette=False),
    Action("page(-1)", "pageup,ctrl+b", "PgUp", "Page up", palette=False),
    Action("first", "g,home", "g", "Go to the newest run"),
    Action("last", "G,end", "G", "Go to the oldest run"),
)
RUN = (
    Action("back", "escape", "esc", "Back to the list", "back"),
    Action("zoom", "l", "l", "Hide or show the details beside the log", "log"),
    Action("next_container", "t", "t", "Show the log of the next container of the run"),
    Action("app.copy", "y", "y", "Copy the focused command, or choose what to copy", "copy"),
    CANCEL,
    DELETE,
    Action("app.focus_next", "tab", "tab", "Focus the next command, or the log", palette=False),
)
LOG = (
    Action("find", "slash", "/", "Search the log", "find"),
    Action("next(1)", "n", "n", "Go to the next match"),
    Action("next(-1)", "N", "N", "Go to the previous match"),
    Action("follow", "f", "f", "Follow the end of the log", "follow"),
    Action("wrap", "w", "w", "Wrap long lines", "wrap"),
    Action("save", "S", "S", "Save the log to a file that only you can read", "save"),
    Action("move(0, 1)", "j,down", "j ↓", "Down", palette=False),
    Action("move(0, -1)", "k,up", "k ↑", "Up", palette=False),
    Action("move(8, 0)", "right", "→", "Right", palette=False),
    Action("move(-8, 0)", "h,left", "h ←", "Left", palette=False),
    Action("page(1)", "pagedown,ctrl+f,space", "PgDn", "Page down", palette=False),
    Action("page(-1)", "pageup,ctrl+b", "PgUp", "Page up", palette=False),
    Action("first", "g,home", "g", "Go to the first line"),
    Action("last", "G,end", "G", "Go to the last line, and follow"),
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
            key_display=each.shown_as,
        )
        for each in group
    ]
