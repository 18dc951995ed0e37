"""RunScreen: the details of one run and its log."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Footer

from sparktest import kubectl
from sparktest.client import ApiClient
from sparktest.domain import Origin, Run
from sparktest.tui import actions, columns, text
from sparktest.tui.polling import LiveScreen
from sparktest.tui.widgets.details import Details
from sparktest.tui.widgets.log_pane import LogPane
from sparktest.tui.widgets.static import CachedStatic

# Left and right of the title, together.
PADDING = 2


class RunScreen(LiveScreen):
    """The details of a run and its log.

    Args:
        api: the API to read the log from.
        run: the run to show until the store has a later version.
        clusters: the clusters that kubectl commands can name.
    """

    CSS_PATH = "run.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (110, "-beside")]  # noqa: RUF012
    BINDINGS: ClassVar = [*actions.bindings(actions.RUN)]

    def __init__(self, api: ApiClient, run: Run, *, clusters: kubectl.Clusters) -> None:
        super().__init__()
        self._run = run
        self._title = CachedStatic(id="title")
        self._details = Details(run, clusters=clusters)
        self._pane = LogPane(api, run)

    def compose(self) -> ComposeResult:
        """Create the title, the details, the log and the footer."""
        yield self._title
        yield self._banner
        yield self._details
        yield self._pane
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show the known version of the run before the API answers."""
        self.sync()

    @property
    def selected_run(self) -> Run:
        """The run that is shown."""
        return self._run

    def sync(self) -> None:
        """Update the screen from the store and the poller."""
        super().sync()
        known = self.app.store.get(self._run.id)
        self._run = known or self._run
        self._title.update(_title(self._run, self.size.width, deleted=known is None), layout=False)
        self._pane.show(self._run)
        original = self.app.store.get(self._run.rerun_of or "")
        self._details.show(self._run, self.app.clock.now(), self._pane.last_line, original)

    def action_back(self) -> None:
        """Close the log search if it is open, else go back to the list."""
        if not self._pane.close_search():
            self.dismiss()

    def action_next_container(self) -> None:
        """Show the log of the next container."""
        self._pane.show_next_container()

    def action_zoom(self) -> None:
        """Hide the details, or show them again."""
        self._details.display = not self._details.display
        if not self._details.display:
            self._pane.close_search()


def _title(run: Run, width: int, *, deleted: bool) -> Content:
    """Return the title line; only the name is cut to fit the width."""
    style = text.STATUS_STYLES[run.status]
    before = Content.assemble(("SparkTest ", "bold $text-primary"), ("› runs › ", text.QUIET))
    after = Content.assemble((f"   {style.glyph} {style.word}", f"bold {style.colour}"))
    if run.origin is Origin.CRD:
        after = Content.assemble(after, "   ", (columns.BADGE, text.BADGE_STYLE))
    if deleted:
        after = Content.assemble(after, ("   deleted", "$text-warning"))
    name_width = max(width - PADDING - len(before) - len(after), 10)
    name = text.fit(text.one_line(run.name), name_width).rstrip()
    return Content.assemble(before, (name, "bold"), after)
