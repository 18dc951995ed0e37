"""ConfirmScreen: the question before anything that cannot be undone."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from sparktest.tui.questions import Question


class ConfirmScreen(ModalScreen[bool]):
    """True when the person says yes; the focus begins on No.

    Args:
        question: what would happen, and to which run.
    """

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar = [
        Binding("escape,n", "answer(False)", "No"),
        Binding("left,right,h,l", "app.focus_next", "", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question, what it is about, the same as a command, No and yes."""
        asked = self._question
        with Vertical(classes="dialog"):
            yield Static(Content.styled(asked.question, "bold"), classes="dialog-title")
            yield Static(Content("\n".join(asked.facts)))
            yield Static(Content(asked.by_hand), classes="dialog-quiet")
            yield Static(Content("\n".join(asked.commands)), classes="dialog-command")
            with Horizontal(classes="dialog-buttons"):
                yield Button(Content("No"), id="no", compact=True)
                yield Button(Content(asked.yes), id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """Nothing happens by an Enter too many."""
        self.query_one("#no", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.dismiss(message.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Close with this answer."""
        self.dismiss(yes)
