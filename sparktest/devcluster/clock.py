"""The clock of the dev cluster, which tests may move."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Aware UTC time; `advance` makes it jump and wakes whoever waits for a point in time."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._wakers: list[Callable[[], None]] = []

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    def now(self) -> datetime:
        """The time as aware UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """The time as Kubernetes writes it, to the second."""
        return stamp(self.now())

    def stamp_of(self, seconds: float) -> str:
        """The same for a time of this machine, in seconds since 1970."""
        return stamp(datetime.fromtimestamp(seconds + self._ahead, UTC))

    def advance(self, seconds: float) -> None:
        """Jump ahead, or back, and wake the waiting."""
        self._ahead += seconds
        for wake in list(self._wakers):
            wake()

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Have `wake` called after each jump."""
        self._wakers.append(wake)

    def off_jump(self, wake: Callable[[], None]) -> None:
        """No longer call `wake`."""
        self._wakers.remove(wake)


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The time that an RFC 3339 text names.

    Raises:
        ValueError: it names none.
    """
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def after(text: str, seconds: float) -> datetime:
    """The time so many seconds after the one that the text names."""
    try:
        return moment(text) + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
