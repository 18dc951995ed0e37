"""RunsScreen: the list of runs."""

from typing import ClassVar, TypeVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Footer, Input

from sparktest.domain import Origin, Run, Status
from sparktest.kubectl import Target
from sparktest.sanitize import clean_text
from sparktest.tui import actions, summary
from sparktest.tui.polling import LiveScreen
from sparktest.tui.state import Filter
from sparktest.tui.widgets.run_list import RunList, RunListHeader
from sparktest.tui.widgets.static import CachedStatic

ORIGINS = (None, Origin.API, Origin.CRD)
STATUSES = (None, *Status)

T = TypeVar("T")


class RunSearch(Input):
    """The search of the list; it filters on every key."""

    BINDINGS: ClassVar = [
        Binding("enter", "submit", "keep", key_display="⏎"),
        Binding("escape", "screen.clear", "clear", key_display="esc"),
    ]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return True for every printable key: the footer hides the actions of those keys."""
        # Textual does not know the character of this key.
        return key == "slash" or super().check_consume_key(key, character)


class RunsScreen(LiveScreen):
    """All runs, newest first, with counts, search and filters.

    Args:
        address: the host and port of the API, to show.
        target: the cluster that kubectl commands name.
    """

    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar = [*actions.bindings(actions.RUNS)]

    def __init__(self, *, address: str, target: Target) -> None:
        super().__init__()
        self._address = address
        self._kube_target = target
        self._counts = CachedStatic(id="counts")
        self._filters = CachedStatic(id="filter")
        self._connection = CachedStatic(id="connection")
        self._search = RunSearch(placeholder="search every column", compact=True, id="search")
        self._header = RunListHeader()
        self._list = RunList(self.app.store, self.app.clock.now)
        self._empty = CachedStatic(id="empty")

    def compose(self) -> ComposeResult:
        """Create the header, the search, the list or its empty state, and the footer."""
        yield self._counts
        with Horizontal(id="filters"):
            yield self._filters
            yield self._connection
        yield self._banner
        yield self._search
        yield self._header
        yield self._list
        yield self._empty
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Focus the list."""
        self._search.display = False
        self._list.focus()
        self.sync()

    def on_resize(self) -> None:
        """Fit the header to the width."""
        self.sync()

    @property
    def selected_run(self) -> Run | None:
        """The run under the cursor."""
        return self.app.store.current

    def sync(self) -> None:
        """Update the list and the header from the store and the poller."""
        super().sync()
        store, poller, width = self.app.store, self.app.poller, self.size.width
        self._counts.update(summary.counts(store, loaded=poller.loaded, width=width), layout=False)
        self._filters.update(summary.filters(store), layout=False)
        self._connection.update(summary.connection_status(poller, self._address, width))
        empty = summary.empty_state(store, poller, self._address, self._kube_target)
        self._list.display = self._header.display = empty is None
        self._empty.display = empty is not None
        if empty is not None:
            self._empty.update(empty, layout=False)
        self._list.sync()

    # --- search and filters ----------------------------------------------------------------------

    def action_search(self) -> None:
        """Open the search."""
        self._search.display = True
        # Widget.focus() takes effect later; keys typed until then would run actions.
        self.set_focus(self._search)

    @on(Input.Changed)
    def _search_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._update_filter(search=clean_text(message.value))

    @on(Input.Submitted)
    def _search_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._close_search()

    def action_origin(self) -> None:
        """Show runs of the next origin: all, api, crd."""
        self._update_filter(origin=_next(self.app.store.filter.origin, ORIGINS))

    def action_status(self) -> None:
        """Show runs of the next status."""
        self._update_filter(status=_next(self.app.store.filter.status, STATUSES))

    def action_namespace(self) -> None:
        """Show runs of the next namespace."""
        namespaces = (None, *self.app.store.namespaces)
        self._update_filter(namespace=_next(self.app.store.filter.namespace, namespaces))

    def action_clear(self) -> None:
        """Clear search and filters."""
        with self.prevent(Input.Changed):
            self._search.value = ""
        self._close_search()
        self.app.store.show(Filter())
        self.sync()

    def _update_filter(self, **changes: object) -> None:
        self.app.store.show(msgspec.structs.replace(self.app.store.filter, **changes))
        self.sync()

    def _close_search(self) -> None:
        self._search.display = False
        self.set_focus(self._list)


def _next(current: T, choices: tuple[T, ...]) -> T:
    """Return the choice after the current one; the first after the last or an unknown one."""
    at = choices.index(current) if current in choices else -1
    return choices[(at + 1) % len(choices)]
