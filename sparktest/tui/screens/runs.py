"""RunsScreen: the list of runs."""

from typing import ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Footer, Input, Static

from sparktest.domain import Origin, Run, Status
from sparktest.kubectl import CURRENT, Target
from sparktest.sanitize import clean_text
from sparktest.tui import actions, summary
from sparktest.tui.clock import Clock
from sparktest.tui.feed import Feed
from sparktest.tui.screens.live import LiveScreen
from sparktest.tui.state import Filter, RunStore
from sparktest.tui.widgets.banner import Banner
from sparktest.tui.widgets.heading import Heading
from sparktest.tui.widgets.run_list import RunList

ORIGINS = (None, Origin.API, Origin.CRD)
STATUSES = (None, *Status)

T = TypeVar("T")


class RunsScreen(LiveScreen):
    """All runs, newest first, with counts, search and filters.

    Args:
        store: the runs.
        feed: whether they are whole and live.
        clock: the time.
        address: the API they come from, as people know it.
    """

    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar = [*actions.bindings(actions.RUNS)]

    def __init__(
        self, store: RunStore, feed: Feed, clock: Clock, address: str, target: Target = CURRENT
    ) -> None:
        super().__init__()
        self._store = store
        self._feed = feed
        self._clock = clock
        self._address = address
        self._kube_target = target
        self._banner = Banner()
        self._search = Input(placeholder="search every column", compact=True, id="search")
        self._heading = Heading()
        self._list = RunList(store, clock.now)
        self._said = {name: Static(id=name) for name in ("counts", "filter", "link", "nothing")}
        self._shown: dict[str, Content] = {}

    def compose(self) -> ComposeResult:
        """Two lines of summary, the search, the list or why there is none, the keys."""
        yield self._said["counts"]
        with Horizontal(id="filters"):
            yield self._said["filter"]
            yield self._said["link"]
        yield self._banner
        yield self._search
        yield self._heading
        yield self._list
        yield self._said["nothing"]
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """The keys go to the list."""
        self._search.display = False
        self._list.focus()
        self.sync()

    def on_resize(self) -> None:
        """Say when the terminal is too narrow for all columns."""
        self.sync()

    @property
    def subject(self) -> Run | None:
        """The run under the cursor."""
        return self._store.current

    def sync(self) -> None:
        """Show what the store holds now."""
        counts, feed = self._store.counts, self._feed
        self._say("counts", summary.counts(counts, whole=feed.loaded, width=self.size.width))
        self._say("filter", summary.filters(self._store.filter, counts))
        self._say("link", summary.link(feed, self._address, self.size.width))
        nothing = summary.nothing(
            counts, feed, self._store.filter, self._address, self._kube_target
        )
        self._list.display = self._heading.display = nothing is None
        self._said["nothing"].display = nothing is not None
        if nothing is not None:
            self._say("nothing", nothing)
        self._banner.tell(feed.outage, self._clock.ticks())
        self._list.sync()

    # --- search and filters ----------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search."""
        self._search.display = True
        # At once: Widget.focus() comes a moment later, and keys typed until then would be commands.
        self.set_focus(self._search)

    @on(Input.Changed)
    def _searched(self, message: Input.Changed) -> None:
        message.stop()
        self._limit(search=clean_text(message.value))

    @on(Input.Submitted)
    def _done(self, message: Input.Submitted) -> None:
        message.stop()
        self._close_search()

    def action_origin(self) -> None:
        """Show runs of the next origin: all, api, crd."""
        self._limit(origin=_after(self._store.filter.origin, ORIGINS))

    def action_status(self) -> None:
        """Show runs of the next status."""
        self._limit(status=_after(self._store.filter.status, STATUSES))

    def action_namespace(self) -> None:
        """Show runs of the next namespace."""
        namespaces = (None, *self._store.namespaces)
        self._limit(namespace=_after(self._store.filter.namespace, namespaces))

    def action_clear(self) -> None:
        """Show all runs again."""
        with self.prevent(Input.Changed):
            self._search.value = ""
        self._close_search()
        self._store.show(Filter())
        self.sync()

    def _limit(self, **changes: object) -> None:
        current = self._store.filter
        fields = {name: getattr(current, name) for name in current.__struct_fields__}
        self._store.show(Filter(**(fields | changes)))
        self.sync()

    def _close_search(self) -> None:
        self._search.display = False
        self.set_focus(self._list)

    # --- inside ----------------------------------------------------------------------------------

    def _say(self, where: str, content: Content) -> None:
        if where not in self._shown or not self._shown[where].is_same(content):
            self._shown[where] = content
            # Only the link is as wide as what it says.
            self._said[where].update(content, layout=where == "link")


def _after(current: T, choices: tuple[T, ...]) -> T:
    """The choice after the current one, the first after the last or after one that is gone."""
    at = choices.index(current) if current in choices else -1
    return choices[(at + 1) % len(choices)]
