"""CommandLine: a command that can be copied."""

from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from sparktest.tui import text


class CommandLine(Static, can_focus=True):
    """A command; Enter or a click copies it."""

    BINDINGS: ClassVar = [Binding("enter", "copy", "copy", show=False)]

    class Copied(Message):
        """The person wants this command in the clipboard."""

        def __init__(self, label: str, command: str) -> None:
            super().__init__()
            self.label = label
            self.command = command

    def __init__(self, label: str, command: str) -> None:
        super().__init__()
        self.label = label
        self.say(command)

    def say(self, command: str) -> None:
        """Hold this command from now on."""
        self.command = command
        self.update(Content.assemble(("$ ", text.QUIET), command))

    def action_copy(self) -> None:
        """Ask for the command to be copied."""
        self.post_message(self.Copied(self.label, self.command))

    def on_click(self, event: events.Click) -> None:
        """A click copies, as Enter does."""
        event.stop()
        self.action_copy()
