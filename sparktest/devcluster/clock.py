"""The current time, and times as Kubernetes writes them."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Where the dev cluster takes the time from."""

    def time(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def now(self) -> datetime:
        """Return the time as aware UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Return the time as Kubernetes writes it, to the second."""
        return stamp(self.now())

    def stamp_of(self, seconds: float) -> str:
        """Return a time that another process measured, in seconds since 1970, as `stamp`."""
        return stamp(datetime.fromtimestamp(seconds, UTC))


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
