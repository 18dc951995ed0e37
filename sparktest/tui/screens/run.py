"""RunScreen: one run, its facts and its log."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Footer, Static

from sparktest import kubectl
from sparktest.client import ApiClient
from sparktest.domain import Origin, Run
from sparktest.tui import actions, text
from sparktest.tui.clock import Clock
from sparktest.tui.feed import Feed
from sparktest.tui.messages import TextAsked
from sparktest.tui.screens.live import LiveScreen
from sparktest.tui.state import RunStore
from sparktest.tui.widgets.banner import Banner
from sparktest.tui.widgets.command_line import CommandLine
from sparktest.tui.widgets.details import Details
from sparktest.tui.widgets.log_pane import LogPane

# Of the line that holds the title, on both sides together.
PADDING = 2


class RunScreen(LiveScreen):
    """The details of a run and its log.

    Args:
        api: where the log is read.
        run: the run as it is known now; the store says what becomes of it.
        target: the cluster that commands name.
    """

    CSS_PATH = "run.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (110, "-beside")]  # noqa: RUF012
    BINDINGS: ClassVar = [*actions.bindings(actions.RUN)]

    def __init__(
        self,
        api: ApiClient,
        run: Run,
        store: RunStore,
        feed: Feed,
        clock: Clock,
        *,
        target: kubectl.Target = kubectl.CURRENT,
    ) -> None:
        super().__init__()
        self._run = run
        self._store = store
        self._feed = feed
        self._clock = clock
        self._heading = Static(id="title")
        self._title: Content | None = None
        self._banner = Banner()
        self._details = Details(run, target=target)
        self._pane = LogPane(api, run)

    def compose(self) -> ComposeResult:
        """The name, the facts, the log, the keys."""
        yield self._heading
        yield self._banner
        yield self._details
        yield self._pane
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known before the API says more."""
        self.sync()

    @property
    def subject(self) -> Run:
        """The run that is shown."""
        return self._run

    def sync(self) -> None:
        """Show what became of the run."""
        known = self._store.get(self._run.id)
        title = _title(known or self._run, self.size.width, deleted=known is None)
        if self._title is None or not self._title.is_same(title):
            self._title = title
            self._heading.update(title)
        self._run = known or self._run
        self._details.show(self._run, self._clock.now())
        self._pane.show(self._run)
        self._banner.tell(self._feed.outage, self._clock.ticks())

    # --- keys ------------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Close the search of the log if it is open, else go back to the list."""
        if not self._pane.close_search():
            self.dismiss()

    def action_zoom(self) -> None:
        """Show only the log, or the facts too."""
        self._details.display = not self._details.display
        if not self._details.display:
            self._pane.close_search()

    @on(CommandLine.Copied)
    def _copied(self, message: CommandLine.Copied) -> None:
        message.stop()
        self.post_message(TextAsked(message.label, message.command))


def _title(run: Run, width: int, *, deleted: bool) -> Content:
    """The name, cut so that all of the rest can be seen, the status, the badge."""
    look = text.LOOKS[run.status]
    before = Content.assemble(("SparkTest ", "bold $text-primary"), ("› runs › ", text.QUIET))
    after = Content.assemble((f"   {look.glyph} {look.word}", f"bold {look.colour}"))
    if run.origin is Origin.CRD:
        after = Content.assemble(after, "   ", (" CRD ", text.BADGE))
    if deleted:
        after = Content.assemble(after, ("   deleted", "$text-warning"))
    room = max(width - PADDING - len(before) - len(after), 10)
    name = text.fit(text.one_line(run.name), room).rstrip()
    return Content.assemble(before, (name, "bold"), after)
