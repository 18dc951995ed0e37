"""What happened to the objects of one kind: events by version, and waiting for more."""

import threading
from bisect import bisect_right

from sparktest.devcluster.entries import Event

# Events kept a kind. A watch that fell behind further has to list again.
KEPT = 2000


class History:
    """The last events of a kind. `floor`: everything after this version is known."""

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._events: list[Event] = []
        self._more = threading.Condition()

    def add(self, event: Event) -> None:
        """Append an event and wake whoever waits for it."""
        with self._more:
            self._events.append(event)
            if len(self._events) > 2 * KEPT:
                self.forget(self._events[KEPT - 1].entry.version)
            self._more.notify_all()

    def forget(self, version: int) -> None:
        """Drop the events up to a version: a watch from before it has to list again."""
        with self._more:
            self.floor = max(self.floor, version)
            del self._events[: bisect_right(self._events, version, key=_version)]
            self._more.notify_all()

    def after(self, version: int, timeout: float) -> list[Event] | None:
        """The events after a version, waiting for the first; None: some are no longer known."""
        with self._more:
            found = self._after(version)
            if found == []:
                self._more.wait(timeout)
                found = self._after(version)
            return found

    def _after(self, version: int) -> list[Event] | None:
        if version < self.floor:
            return None
        return self._events[bisect_right(self._events, version, key=_version) :]


def _version(event: Event) -> int:
    return event.entry.version
