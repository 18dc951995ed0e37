"""Static widgets: CachedStatic, OutageBanner, CommandLine."""

from math import ceil
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Static

from sparktest.tui import text
from sparktest.tui.messages import CopyRequested
from sparktest.tui.outage import Outage


class CachedStatic(Static):
    """A Static that repaints only when its content changes."""

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show this content, unless it is shown already."""
        shown = self.content
        if isinstance(shown, Content) and isinstance(content, Content):
            # Content's == compares the text alone.
            same = shown.is_same(content)
        else:
            same = type(shown) is type(content) and shown == content
        if not same:
            super().update(content, layout=layout)


class OutageBanner(CachedStatic):
    """A banner with the reason why the API cannot be read; hidden while it can."""

    def on_mount(self) -> None:
        """Start hidden."""
        self.display = False

    def show(self, outage: Outage | None, now: float) -> None:
        """Show this outage, or hide; `now` is in seconds on the clock of the outage."""
        self.display = outage is not None
        if outage is None:
            return
        seconds = max(ceil(outage.retry_at - now), 0)
        retry = f"next try in {seconds} s" if seconds else "trying again now"
        cause = (f"! {outage.cause}", "bold")
        self.update(Content.assemble(cause, f"\n  {retry} · r tries now · ", outage.advice))


class CommandLine(CachedStatic, can_focus=True):
    """A shell command; Enter or a click copies it."""

    BINDINGS: ClassVar = [Binding("enter", "copy", "copy", show=False)]

    def __init__(self, label: str, command: str) -> None:
        super().__init__()
        self.label = label
        self.show(command)

    def show(self, command: str) -> None:
        """Show this command."""
        self.command = command
        self.update(Content.assemble(("$ ", text.QUIET), command))

    def action_copy(self) -> None:
        """Request a copy of the command."""
        self.post_message(CopyRequested(self.label, self.command))

    def on_click(self, event: events.Click) -> None:
        """Copy, as Enter does."""
        event.stop()
        self.action_copy()
