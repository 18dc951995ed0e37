"""Details: what is known of one run, and the commands to look further."""

from datetime import datetime
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from sparktest import kubectl
from sparktest.domain import Origin, Run
from sparktest.tui import facts, text
from sparktest.tui.widgets.command_line import CommandLine

LABEL = 10
STARTED_FROM = "Started from TestRun CRD"


class Details(VerticalScroll):
    """Overview, failure and source of a run; `show` says what became of it.

    Args:
        target: the cluster that the commands name.
    """

    BINDINGS: ClassVar = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "To the top", show=False),
        Binding("G", "scroll_end", "To the bottom", show=False),
    ]
    COMPONENT_CLASSES: ClassVar = {"details--label"}

    def __init__(self, run: Run, *, target: kubectl.Target = kubectl.CURRENT) -> None:
        super().__init__()
        self._run = run
        self._kube_target = target
        self._failure = Static(id="failure")
        self._overview = Static(id="overview")
        # Twice: in a narrow terminal the source comes before it.
        self._more = (
            Static(id="more-beside", classes="more"),
            Static(id="more-below", classes="more"),
        )
        self._commands = [
            CommandLine(label, command) for label, command in kubectl.commands(run, target=target)
        ]
        self._shown: tuple[object, object] | None = None

    def compose(self) -> ComposeResult:
        """The sections, the failure only where there is one."""
        yield self._failure
        with Container(id="columns"):
            with Vertical(id="facts"):
                yield self._overview
                yield self._more[0]
            with Vertical(id="source"):
                yield Static(_source(self._run), id="source-facts")
                yield from self._commands
            yield self._more[1]

    def show(self, run: Run, now: datetime) -> None:
        """Say what became of the run."""
        self._run = run
        overview, more = facts.overview(run, now), facts.more(run, now)
        if (overview, more) != self._shown:
            self._shown = (overview, more)
            self._overview.update(self._table(overview))
            for static in self._more:
                static.update(self._table(more))
        why = facts.failure(run)
        self._failure.display = why is not None
        if why is not None:
            self._failure.update(_failure(why))
        commands = kubectl.commands(run, target=self._kube_target)
        for line, (_, command) in zip(self._commands, commands, strict=True):
            if line.command != command:
                line.say(command)

    def _table(self, rows: list[tuple[str, str]]) -> Table:
        label = self.get_visual_style("details--label").rich_style
        table = Table.grid(padding=(0, 1))
        table.add_column(width=LABEL)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(Text(name, style=label), Text(value))
        return table


def _failure(why: facts.Failed) -> Content:
    parts = [("✗ ", "bold"), (why.headline, "bold")]
    if why.meaning:
        parts.append((f"\n{why.meaning}", text.QUIET))
    if why.message:
        parts.append((f"\n{why.message}", ""))
    return Content.assemble(*parts)


def _source(run: Run) -> Content:
    if run.origin is not Origin.CRD:
        return Content.assemble(("Kubernetes", "bold"), "  the commands for its Job")
    parts: list[tuple[str, str]] = [("Source", "bold"), (f"  {STARTED_FROM}", text.QUIET)]
    for label, value in facts.source(run):
        parts += [(f"\n{label.ljust(LABEL)}", text.QUIET), (value, "")]
    return Content.assemble(*parts)
