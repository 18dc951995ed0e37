"""Details: the fields of one run, its failure, and kubectl commands for it."""

from datetime import datetime
from typing import ClassVar, NamedTuple

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content

from sparktest import kubectl
from sparktest.domain import Origin, Run
from sparktest.tui import text
from sparktest.tui.fields import FailureText, Rows, failure_text, field_rows, source_rows
from sparktest.tui.widgets.static import CachedStatic, CommandLine

LABEL_WIDTH = 10
GAP = 1


class FieldTable(NamedTuple):
    """Labels and values in two columns; comparable, so that CachedStatic can skip repaints."""

    rows: Rows
    label_style: Style

    def __rich__(self) -> Table:
        """Return the table for Rich."""
        table = Table.grid(padding=(0, GAP))
        table.add_column(width=LABEL_WIDTH)
        table.add_column(overflow="fold")
        for label, value in self.rows:
            table.add_row(Text(label, style=self.label_style), Text(value))
        return table


class Details(VerticalScroll):
    """The failure, the fields and the source of a run; `show` updates them.

    Args:
        clusters: the clusters that the commands can name.
    """

    BINDINGS: ClassVar = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "To the top", show=False),
        Binding("G", "scroll_end", "To the bottom", show=False),
    ]
    COMPONENT_CLASSES: ClassVar = {"details--label"}

    def __init__(self, run: Run, *, clusters: kubectl.Clusters) -> None:
        super().__init__()
        self._clusters = clusters
        self._source = CachedStatic(_source(run), id="source-fields")
        self._warning = CachedStatic(id="cluster-warning")
        self._failure = CachedStatic(id="failure")
        self._overview = CachedStatic(id="overview")
        # One for each layout: CSS hides the other.
        self._more = (
            CachedStatic(id="more-beside", classes="more"),
            CachedStatic(id="more-below", classes="more"),
        )
        self._commands = [
            CommandLine(label, command)
            for label, command in kubectl.commands(run, target=clusters.target(run))
        ]

    def compose(self) -> ComposeResult:
        """Create the sections; `show` fills them."""
        yield self._failure
        with Container(id="columns"):
            with Vertical(id="fields"):
                yield self._overview
                yield self._more[0]
            with Vertical(id="source"):
                yield self._source
                yield self._warning
                yield from self._commands
            yield self._more[1]

    def show(
        self, run: Run, now: datetime, last_log_line: str = "", original: Run | None = None
    ) -> None:
        """Show this version of the run; a failure may quote the last line of the log.

        `original`: the run that this one is a rerun of, if it is known.
        """
        label_style = self.get_visual_style("details--label").rich_style
        overview, more = field_rows(run, now, original)
        self._overview.update(FieldTable(overview, label_style))
        for static in self._more:
            static.update(FieldTable(more, label_style))
        failure = failure_text(run, last_log_line)
        self._failure.display = failure is not None
        if failure is not None:
            self._failure.update(_failure(failure))
        warning = self._clusters.warning(run)
        self._warning.display = bool(warning)
        self._warning.update(Content(f"! {warning}"))
        commands = kubectl.commands(run, target=self._clusters.target(run))
        for line, (_, command) in zip(self._commands, commands, strict=True):
            line.show(command)


def _failure(failure: FailureText) -> Content:
    parts = [(f"✗ {failure.headline}", "bold")]
    if failure.explanation:
        parts.append((f"\n{failure.explanation}", text.QUIET))
    if failure.message:
        parts.append((f"\n{failure.message}", ""))
    return Content.assemble(*parts)


def _source(run: Run) -> Content:
    if run.origin is not Origin.CRD:
        return Content.assemble(("Kubernetes", "bold"), "  the commands for its Job")
    heading = "Source".ljust(LABEL_WIDTH + GAP)
    parts: list[tuple[str, str]] = [(heading, "bold"), (text.STARTED_FROM, text.QUIET)]
    for label, value in source_rows(run):
        parts += [(f"\n{label.ljust(LABEL_WIDTH + GAP)}", text.QUIET), (value, "")]
    return Content.assemble(*parts)
