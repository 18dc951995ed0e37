"""RunScreen: one run, its facts and its log."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Footer, Static

from sparktest.client import ApiClient
from sparktest.domain import Origin, Run
from sparktest.tui import actions, text
from sparktest.tui.clock import Clock
from sparktest.tui.feed import Feed
from sparktest.tui.messages import CancelAsked, CopyAsked, DeleteAsked, TextAsked
from sparktest.tui.screens.live import LiveScreen
from sparktest.tui.state import RunStore
from sparktest.tui.widgets.banner import Banner
from sparktest.tui.widgets.command_line import CommandLine
from sparktest.tui.widgets.details import Details
from sparktest.tui.widgets.log_pane import LogPane
from sparktest.tui.widgets.log_view import LogView


class RunScreen(LiveScreen):
    """The details of a run and its log.

    Args:
        api: where the log is read.
        run: the run as it is known now; the store says what becomes of it.
        context: the kubeconfig context that commands name, None for the current one.
    """

    CSS_PATH = "run.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (110, "-beside")]  # noqa: RUF012
    BINDINGS: ClassVar = [*actions.bindings(actions.RUN)]

    def __init__(
        self, api: ApiClient, run: Run, store: RunStore, feed: Feed, clock: Clock,
        *, context: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._api = api
        self._run = run
        self._store = store
        self._feed = feed
        self._clock = clock
        self._kube_context = context
        self._title: Content | None = None

    def compose(self) -> ComposeResult:
        """The name, the facts, the log, the keys."""
        yield Static(id="title")
        yield Banner()
        yield Details(self._run, context=self._kube_context)
        yield LogPane(self._api, self._run)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known before the API says more."""
        self.sync()

    def sync(self) -> None:
        """Show what became of the run."""
        known = self._store.get(self._run.id)
        title = _title(known or self._run, deleted=known is None)
        if self._title is None or not self._title.is_same(title):
            self._title = title
            self.query_one("#title", Static).update(title)
        self._run = known or self._run
        self.query_one(Details).show(self._run, self._clock.now())
        self.query_one(LogPane).show(self._run)
        self.query_one(Banner).tell(self._feed.outage, self._clock.ticks())

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    # --- keys ------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Close the search of the log if it is open, else go back to the list."""
        if not self.query_one(LogPane).close_search():
            self.dismiss()

    def action_zoom(self) -> None:
        """Show only the log, or the facts too."""
        details = self.query_one(Details)
        details.display = not details.display
        if not details.display:
            self.query_one(LogPane).close_search()

    def action_copy(self) -> None:
        """Copy the command in focus, or choose what to copy."""
        if isinstance(self.focused, CommandLine):
            self.focused.action_copy()
        else:
            self.post_message(CopyAsked(self._run))

    def action_cancel(self) -> None:
        """Stop the run, after a question."""
        self.post_message(CancelAsked(self._run))

    def action_delete(self) -> None:
        """Delete the run, after a question."""
        self.post_message(DeleteAsked(self._run))

    @on(CommandLine.Copied)
    def _copied(self, message: CommandLine.Copied) -> None:
        message.stop()
        self.post_message(TextAsked(message.label, message.command))


def _title(run: Run, *, deleted: bool) -> Content:
    look = text.LOOKS[run.status]
    parts = [("SparkTest ", "bold $text-primary"), ("› runs › ", text.QUIET)]
    parts += [
        (text.one_line(run.name), "bold"),
        (f"   {look.glyph} {look.word}", f"bold {look.colour}"),
    ]
    if run.origin is Origin.CRD:
        parts += [("   ", ""), (" CRD ", text.BADGE)]
    if deleted:
        parts.append(("   deleted from SparkTest", "$text-warning"))
    return Content.assemble(*parts)
