"""The time: of the day for what is shown, monotonic for what is to be done when."""

import time
from datetime import UTC, datetime


class Clock:
    """The real time; a test gives one of its own."""

    def now(self) -> datetime:
        """The time of the day, aware, in UTC."""
        return datetime.now(UTC)

    def ticks(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()
