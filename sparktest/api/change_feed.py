"""ChangeFeed: the newest changes of runs, read once and encoded once for all streams."""

import bisect
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from sparktest.api import sse
from sparktest.api.serializers import serialize_run
from sparktest.api.store import Store, changes, runs
from sparktest.api.store.changes import Change, ChangeKind
from sparktest.errors import UnavailableError

# Changes that are read at once.
PAGE_SIZE = 500
# What is kept for streams that are a little behind; others read from the store.
MAX_EVENTS = 2000
MAX_BYTES = 8 * 1024 * 1024
# How long to wait for transactions that record changes: for the streams, and for a new one.
SETTLE_SECONDS = 0.25
MAX_SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """A change as it is sent.

    Attributes:
        seq: the number of the change.
        run: the row of the run; None when it was deleted.
        frame: the event in the form of Server-Sent Events.
    """

    seq: int
    run: Mapping[str, Any] | None
    frame: bytes


class ChangeFeed:
    """The newest changes in memory; threads may share it.

    Args:
        store: the store.
        clock: returns the time now.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._bytes = 0
        # The events are all changes after `_start`, up to and including `_end`, which is settled.
        self._start = self._end = changes.START

    def newest(self) -> int:
        """Return the number of the newest change.

        Raises:
            UnavailableError: the database does not answer, or a transaction takes too long.
        """
        with self._store.reading() as connection:
            settled = changes.settle(connection, MAX_SETTLE_SECONDS)
            if settled is None:
                raise UnavailableError("a transaction takes too long", retry_after=5)
            return changes.newest(connection, settled)

    def restart(self) -> None:
        """Forget all events and continue with the next change."""
        newest = self.newest()
        with self._lock:
            self._events.clear()
            self._bytes = 0
            self._start = self._end = newest

    def refresh(self, encode: bool) -> tuple[list[str], bool]:
        """Read the changes that are new.

        Args:
            encode: keep them for streams.

        Returns:
            The ids of their runs, and whether there may be others that cannot be read yet.
        """
        changed: list[str] = []
        with self._store.reading() as connection:
            settled = changes.settle(connection, SETTLE_SECONDS)
            if settled is None:
                return changed, True
            while found := changes.read(connection, self._end, settled, PAGE_SIZE):
                changed += dict.fromkeys(change.run_id for change in found)
                events = self._encode(connection, found) if encode else None
                self._add(events, found[-1].seq)
        return changed, False

    def after(self, seq: int) -> tuple[Sequence[Event], int]:
        """Return events after a number, oldest first, and the number to continue from."""
        with self._lock:
            end = self._end
            if self._start <= seq:
                at = bisect.bisect_right(self._events, seq, key=lambda event: event.seq)
                found = [self._events[index] for index in range(at, len(self._events))]
                return found, max(seq, end)
        with self._store.reading() as connection:
            page = changes.read(connection, seq, end, PAGE_SIZE)
            return self._encode(connection, page), page[-1].seq if page else seq

    def _add(self, events: Sequence[Event] | None, end: int) -> None:
        with self._lock:
            self._end = end
            if events is None:
                self._events.clear()
                self._bytes, self._start = 0, end
                return
            self._events.extend(events)
            self._bytes += sum(len(event.frame) for event in events)
            while len(self._events) > MAX_EVENTS or self._bytes > MAX_BYTES:
                dropped = self._events.popleft()
                self._bytes -= len(dropped.frame)
                self._start = dropped.seq

    def _encode(self, connection: Connection, found: Sequence[Change]) -> list[Event]:
        """Return one event for each run, with its newest state, in the order of the changes."""
        newest = {change.run_id: change for change in found}
        created = {change.run_id for change in found if change.kind is ChangeKind.CREATED}
        rows = {row["id"]: row for row in runs.find_many_as_text(connection, list(newest))}
        heartbeats, now = runs.heartbeats(connection), self._clock()
        events = []
        for change in sorted(newest.values()):
            row = rows.get(change.run_id)
            kind: ChangeKind = change.kind
            if kind is ChangeKind.DELETED:
                row, document = None, {"id": change.run_id}
            elif row is None:
                # Deleted since: that change follows.
                continue
            else:
                kind = ChangeKind.CREATED if change.run_id in created else ChangeKind.UPDATED
                document = serialize_run(row, heartbeats, now)
            data = msgspec.json.encode(document)
            events.append(Event(change.seq, row, sse.event(kind, data, str(change.seq))))
        return events
