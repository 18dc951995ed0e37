"""HelpScreen: every key and what it does."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sparktest.tui import actions, text
from sparktest.tui.screens.dialog import Dialog

KEYS_WIDTH = 8


class HelpScreen(Dialog[None]):
    """A dialog with all actions and their keys."""

    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,enter", "dismiss(None)", "Close"),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Create a section for each group of actions, then one for the status glyphs."""
        with Vertical(classes="dialog") as box:
            box.border_subtitle = "esc close"
            yield Static(Content.styled("Keys", "bold"), classes="dialog-title")
            with VerticalScroll(classes="dialog-text"):
                for name, group in actions.GROUPS.items():
                    lines = [(each.shown_as, each.help) for each in group]
                    yield Static(_section(name, lines), classes="help-group")
                glyphs = [(style.glyph, style.word) for style in text.STATUS_STYLES.values()]
                yield Static(_section("Status", glyphs), classes="help-group")

    def action_scroll(self, lines: int) -> None:
        """Scroll by this many lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _section(title: str, rows: list[tuple[str, str]]) -> Content:
    lines = [Content.styled(title, "bold $text-primary")]
    lines += [Content.assemble((f"  {key.ljust(KEYS_WIDTH)}", "bold"), row) for key, row in rows]
    return Content("\n").join(lines)
