"""RunStore: the runs, the filter and the cursor of the list. Pure; not thread-safe.

Runs are sorted newest first. The cursor belongs to a run, not to a row: it stays on its run while
other runs come, go, move or are filtered out. Until the user moves it, it is on the newest run.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable

import msgspec

from sparktest.domain import Origin, Run, Status
from sparktest.tui import text

# The sort key of a run: newest first, equal times by id.
Key = tuple[float, str]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter of the list; every word of `search` must occur in some column."""

    search: str = ""
    origin: Origin | None = None
    status: Status | None = None
    namespace: str | None = None

    @property
    def is_active(self) -> bool:
        """True when the filter may hide a run."""
        return bool(self.search.split() or self.origin or self.status or self.namespace)

    def matches(self, run: Run, searchable: str) -> bool:
        """Return True when the filter shows the run; `searchable` is its `text.searchable`."""
        return (
            (self.origin is None or run.origin is self.origin)
            and (self.status is None or run.status is self.status)
            and (self.namespace is None or text.namespace(run) == self.namespace)
            and all(word in searchable for word in self.search.casefold().split())
        )


class RunStore:
    """The runs, the filter and the cursor.

    Attributes:
        filter: the active filter; change it with `show`.
        status_counts: the number of runs in each status, shown or not.
    """

    def __init__(self) -> None:
        self.filter = Filter()
        self.status_counts: Counter[Status] = Counter()
        self._runs: dict[str, Run] = {}
        self._texts: dict[str, str] = {}
        self._order: list[Key] = []
        self._shown: list[Key] = []
        self._namespaces: Counter[str] = Counter()
        # The cursor, and the run that the user moved it to, which a filter may hide for a while.
        self._cursor: Key | None = None
        self._chosen: Key | None = None

    def __len__(self) -> int:
        """Return the number of runs that are shown."""
        return len(self._shown)

    def at(self, row: int) -> Run:
        """Return the run in this row, 0 is the newest; IndexError when there is no such row."""
        return self._runs[self._shown[row][1]]

    def get(self, run_id: str) -> Run | None:
        """Return the run with this id, shown or not."""
        return self._runs.get(run_id)

    def ids(self) -> Iterable[str]:
        """Return the ids of all runs, shown or not."""
        return self._runs.keys()

    def row_of(self, key: Key) -> int:
        """Return the row of this key, or of the first shown run after it."""
        return bisect_left(self._shown, key)

    def key_at(self, row: int) -> Key | None:
        """Return the key of the run in this row, None when there is no such row."""
        return self._shown[row] if 0 <= row < len(self._shown) else None

    # --- updates from the API -------------------------------------------------------------------

    def apply(self, runs: Iterable[Run]) -> bool:
        """Add or update these runs and return whether any changed; older versions are ignored."""
        changed = False
        for run in runs:
            known = self._runs.get(run.id)
            if known is None or (known.version <= run.version and known != run):
                self._put(run, known)
                changed = True
        self._place_cursor(self._cursor)
        return changed

    def remove(self, ids: Iterable[str]) -> bool:
        """Remove these runs and return whether any was present."""
        removed = [run for run in map(self._runs.get, ids) if run is not None]
        for run in removed:
            self._count(run, -1)
            self._unlist(run)
            del self._runs[run.id], self._texts[run.id]
        self._place_cursor(self._cursor)
        return bool(removed)

    # --- filter and cursor -----------------------------------------------------------------------

    def show(self, new: Filter) -> None:
        """Apply this filter; the cursor returns to the run that the user chose, if shown."""
        self.filter = new
        self._shown = [key for key in self._order if self._matches(key[1])]
        self._place_cursor(self._chosen)

    def move_to(self, row: int) -> None:
        """Put the cursor on this row, or on the nearest row that exists."""
        if self._shown:
            self._cursor = self._chosen = self._shown[max(0, min(row, len(self._shown) - 1))]

    @property
    def cursor(self) -> int:
        """The row of the cursor, -1 when nothing is shown."""
        return bisect_left(self._shown, self._cursor) if self._shown and self._cursor else -1

    @property
    def current(self) -> Run | None:
        """The run under the cursor."""
        return self.at(self.cursor) if self._shown else None

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that runs are in, sorted."""
        return sorted(name for name, count in self._namespaces.items() if count)

    def _put(self, run: Run, known: Run | None) -> None:
        key = _key(run)
        if known is not None:
            self._count(known, -1)
            if _key(known) != key:
                self._unlist(known)
                self._cursor = key if self._cursor == _key(known) else self._cursor
                self._chosen = key if self._chosen == _key(known) else self._chosen
        if not _contains(self._order, key):
            insort(self._order, key)
        self._runs[run.id] = run
        self._texts[run.id] = text.searchable(run)
        self._count(run, 1)
        if self._matches(run.id) != _contains(self._shown, key):
            (_discard if _contains(self._shown, key) else insort)(self._shown, key)

    def _unlist(self, run: Run) -> None:
        for keys in (self._order, self._shown):
            if _contains(keys, _key(run)):
                _discard(keys, _key(run))

    def _count(self, run: Run, by: int) -> None:
        self.status_counts[run.status] += by
        self._namespaces[text.namespace(run)] += by

    def _matches(self, run_id: str) -> bool:
        return not self.filter.is_active or self.filter.matches(
            self._runs[run_id], self._texts[run_id]
        )

    def _place_cursor(self, preferred: Key | None) -> None:
        """Put the cursor on `preferred` if shown, else keep it, else use the run now in its row."""
        if not self._shown:
            return
        if self._chosen is None:
            self._cursor = self._shown[0]
            return
        for key in (preferred, self._cursor):
            if key is not None and _contains(self._shown, key):
                self._cursor = key
                return
        row = bisect_left(self._shown, self._cursor) if self._cursor else 0
        self._cursor = self._shown[min(row, len(self._shown) - 1)]


def _key(run: Run) -> Key:
    return (-run.created_at.timestamp(), run.id)


def _contains(keys: list[Key], key: Key) -> bool:
    row = bisect_left(keys, key)
    return row < len(keys) and keys[row] == key


def _discard(keys: list[Key], key: Key) -> None:
    del keys[bisect_left(keys, key)]
