"""Static widgets: CachedStatic, OutageBanner, CommandLine."""

from math import ceil
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.visual import VisualType
from textual.widgets import Static

from sparktest.run_poller import RunPoller
from sparktest.sanitize import clean_text
from sparktest.tui import text
from sparktest.tui.messages import CopyRequested
from sparktest.tui.outage import advice

MAX_CAUSE = 150


class CachedStatic(Static):
    """A Static that repaints only when its content changes."""

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show this content; do nothing when it is shown already."""
        shown = self.content
        if isinstance(shown, Content) and isinstance(content, Content):
            # Content's == compares the text alone.
            same = shown.is_same(content)
        else:
            same = type(shown) is type(content) and shown == content
        if not same:
            super().update(content, layout=layout)


class OutageBanner(CachedStatic):
    """A banner with the last error of the poller; hidden while requests succeed."""

    def on_mount(self) -> None:
        """Start hidden."""
        self.display = False

    def show(self, poller: RunPoller, now: float) -> None:
        """Show the cause, the time to the next request, and advice; `now` is monotonic."""
        self.display = poller.error is not None
        if poller.error is None:
            return
        cause = text.cut(text.one_line(clean_text(poller.error.detail)), MAX_CAUSE)
        seconds = max(ceil(poller.retry_at - now), 0)
        retry = f"next try in {seconds} s" if seconds else "trying again now"
        rest = f"\n  {retry} · r tries now · {advice(poller.error)}"
        self.update(Content.assemble((f"! {cause}", "bold"), rest))


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
