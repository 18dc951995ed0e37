"""Everything a person can do: the one list that keys, footer, help and palette are made from."""

from typing import NamedTuple

from textual.binding import Binding


class Act(NamedTuple):
    """One thing to do.

    `action` names a method `action_…` of the screen, widget or app that the group belongs to;
    `hint` is its word in the footer, and an act without one is only in the help; `palette` is
    False for what only makes sense as a key.
    """

    action: str
    keys: str
    help: str
    hint: str = ""
    shown_as: str = ""
    palette: bool = True


EVERYWHERE = (
    Act("help", "question_mark", "Show this help", "help", "?"),
    Act("retry", "r", "Ask the API again now", shown_as="r"),
    Act(
        "command_palette", "ctrl+p", "Search all of this by its words", shown_as="^p", palette=False
    ),
    Act("quit", "q,ctrl+q", "Quit", "quit", "q"),
)
RUNS = (
    Act("search", "slash", "Search in every column; all words must match", "search", "/"),
    Act("origin", "o", "Show runs of origin all, api, crd", "origin", "o"),
    Act("status", "s", "Show runs of one status", "status", "s"),
    Act("namespace", "n", "Show runs of one namespace", "ns", "n"),
    Act("clear", "escape", "Clear search and filters", shown_as="esc"),
    Act("app.copy", "y", "Copy a kubectl command, id or name of the run", "copy", "y"),
    Act("app.cancel", "c", "Cancel the run, after a question", "cancel", "c"),
    Act("app.delete", "D", "Delete a finished run and its log, after a question", shown_as="D"),
)
LIST = (
    Act("open", "enter", "Open the run", "open", "⏎"),
    Act("move(1)", "j,down", "Down", shown_as="j ↓", palette=False),
    Act("move(-1)", "k,up", "Up", shown_as="k ↑", palette=False),
    Act("page(1)", "pagedown,ctrl+f", "A page down", shown_as="PgDn", palette=False),
    Act("page(-1)", "pageup,ctrl+b", "A page up", shown_as="PgUp", palette=False),
    Act("first", "g,home", "To the newest run", shown_as="g"),
    Act("last", "G,end", "To the oldest run", shown_as="G"),
)
RUN = (
    Act("back", "escape", "Back to the list", "back", "esc"),
    Act("zoom", "l", "Only the log, or the log beside the facts", "log", "l"),
    Act("app.copy", "y", "Copy the command in focus, or choose what to copy", "copy", "y"),
    Act("app.cancel", "c", "Cancel the run, after a question", "cancel", "c"),
    Act("app.delete", "D", "Delete a finished run and its log, after a question", shown_as="D"),
    Act(
        "app.focus_next", "tab", "To the next command, or to the log", shown_as="tab", palette=False
    ),
)
LOG = (
    Act("find", "slash", "Search in the log", "find", "/"),
    Act("next(1)", "n", "To the next match", shown_as="n"),
    Act("next(-1)", "N", "To the match before", shown_as="N"),
    Act("follow", "f", "Follow the end of the log", "follow", "f"),
    Act("wrap", "w", "Wrap long lines", "wrap", "w"),
    Act("save", "S", "Save the log to a file that only you can read", "save", "S"),
    Act("move(0, 1)", "j,down", "Down", shown_as="j ↓", palette=False),
    Act("move(0, -1)", "k,up", "Up", shown_as="k ↑", palette=False),
    Act("move(8, 0)", "right", "Right", shown_as="→", palette=False),
    Act("move(-8, 0)", "h,left", "Left", shown_as="h ←", palette=False),
    Act("page(1)", "pagedown,ctrl+f,space", "A page down", shown_as="PgDn", palette=False),
    Act("page(-1)", "pageup,ctrl+b", "A page up", shown_as="PgUp", palette=False),
    Act("first", "g,home", "To the first line", shown_as="g"),
    Act("last", "G,end", "To the last line, and follow", shown_as="G"),
)
GROUPS = {"Runs": RUNS, "List": LIST, "Run": RUN, "Log": LOG, "Everywhere": EVERYWHERE}


def bindings(acts: tuple[Act, ...]) -> list[Binding]:
    """The bindings of these acts, those with a hint in the footer."""
    return [
        Binding(
            act.keys,
            act.action,
            act.hint or act.help,
            show=bool(act.hint),
            key_display=act.shown_as or None,
        )
        for act in acts
    ]
