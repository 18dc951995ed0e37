"""HelpScreen: every key, from the same list as the bindings."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sparktest.tui import actions, text

KEYS = 8


class HelpScreen(ModalScreen[None]):
    """What can be done, and by which key."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,enter", "dismiss(None)", "Close"),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]

    def compose(self) -> ComposeResult:
        """The groups of keys, then what the glyphs mean."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled("Keys", "bold"), classes="dialog-title")
            with VerticalScroll(classes="dialog-text"):
                for name, acts in actions.GROUPS.items():
                    yield Static(_group(name, acts), classes="help-group")
                yield Static(_glyphs(), classes="help-group")
            yield Static(Content("esc close"), classes="dialog-quiet")

    def action_scroll(self, by: int) -> None:
        """Scroll by so many lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def _group(name: str, acts: tuple[actions.Act, ...]) -> Content:
    lines = [Content.styled(name, "bold $text-primary")]
    lines += [
        Content.assemble(("  " + (act.shown_as or act.keys).ljust(KEYS), "bold"), act.help)
        for act in acts
    ]
    return Content("\n").join(lines)


def _glyphs() -> Content:
    lines = [Content.styled("Status", "bold $text-primary")]
    lines += [Content(f"  {look.glyph.ljust(KEYS)}{look.word}") for look in text.LOOKS.values()]
    return Content("\n").join(lines)
