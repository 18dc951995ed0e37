"""The current time, and times as Kubernetes writes them."""

import time
from datetime import UTC, datetime, timedelta

from sparktest.times import format_time, parse_time

NEVER = datetime.max.replace(tzinfo=UTC)


class Clock:
    """The current time, in UTC."""

    def time(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def now(self) -> datetime:
        """Return the time as an aware datetime."""
        return datetime.fromtimestamp(self.time(), UTC)

    def timestamp(self) -> str:
        """Return the time as Kubernetes writes it."""
        return format_time(self.now())

    def timestamp_of(self, seconds: float) -> str:
        """Return a time of another process, in seconds since 1970, as Kubernetes writes it."""
        return format_time(datetime.fromtimestamp(seconds, UTC))


def deadline(start: str, seconds: float) -> datetime:
    """Return the time `seconds` after `start`; NEVER if `start` is invalid or the time too late."""
    parsed = parse_time(start)
    try:
        return parsed + timedelta(seconds=seconds) if parsed else NEVER
    except OverflowError:
        return NEVER
