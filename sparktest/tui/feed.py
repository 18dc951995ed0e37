"""Decides what to ask the API next, and when. Pure: the clock and the dice are passed in.

Two kinds of pages take turns. A sweep reads the whole list, newest first, and tells which runs
are gone; it is repeated now and then, since a deleted run is in no later answer. A poll reads
what changed since the newest change that was seen.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from sparktest.domain import Run, RunPage
from sparktest.errors import ForbiddenError, SparkTestError, UnauthorizedError
from sparktest.sanitize import clean_text
from sparktest.tui import text

FIRST_PAGE = 100
PAGE = 1000
POLL_SECONDS = 1.0
BLURRED_SECONDS = 5.0
SWEEP_SECONDS = 60.0
# Between two pages of a sweep, so that reading a long list leaves time for keys.
PAGE_SECONDS = 0.02
MAX_BACK_OFF_SECONDS = 30.0
# A change may become visible a little later than its time says: so long ask from before it.
OVERLAP = timedelta(seconds=5)
OVERLAP_SECONDS = 10.0
MAX_CAUSE = 150
TICK = timedelta(microseconds=1)


class Ask(NamedTuple):
    """One page to fetch; `updated_since` is None in a sweep and while no run was ever seen."""

    sweep: bool
    cursor: str | None
    updated_since: datetime | None
    limit: int


class Outage(NamedTuple):
    """Why the API cannot be used now, what to do about it, and when it is asked again."""

    cause: str
    advice: str
    retry_at: float


class Feed:
    """What was read, what is to be read. All times are seconds of one monotonic clock.

    Args:
        dice: answers a number from 0 to 1, for the jitter of the back-off.
    """

    def __init__(self, dice: Callable[[], float]) -> None:
        self.loaded = False
        self.outage: Outage | None = None
        self.interval = POLL_SECONDS
        self._dice = dice
        self._failures = 0
        self._next_at = 0.0
        self._poll_at = 0.0
        self._sweep_at: float | None = 0.0
        self._sweep_cursor: str | None = None
        self._before: frozenset[str] = frozenset()
        self._seen: set[str] = set()
        self._poll_cursor: str | None = None
        self._newest: datetime | None = None
        self._mark: datetime | None = None
        self._marked_at: float | None = None

    def due(self, now: float) -> float:
        """The seconds until something is to be asked; 0 when it is time."""
        if self.outage:
            return max(self.outage.retry_at - now, 0.0)
        wanted = self._poll_at if self._sweep_at is None else min(self._poll_at, self._sweep_at)
        return max(wanted - now, self._next_at - now, 0.0)

    def ask(self, now: float, known: frozenset[str]) -> Ask:
        """The next page to fetch; `known` are the ids of the runs that are there."""
        sweeping = self._sweep_at is not None and self._sweep_at <= now
        if sweeping and (self._marked_at is None or now < self._poll_at):
            if self._sweep_cursor is None:
                self._before, self._seen = known, set()
            limit = FIRST_PAGE if self._marked_at is None else PAGE
            return Ask(True, self._sweep_cursor, None, limit)
        if self._poll_cursor is None:
            self._newest = self._mark
        return Ask(False, self._poll_cursor, self._since(now), PAGE)

    def answered(self, ask: Ask, page: RunPage, now: float) -> frozenset[str]:
        """The ids of the runs that the end of a sweep proved gone; mostly none."""
        self.outage, self._failures = None, 0
        self._next_at = now + PAGE_SECONDS
        if ask.sweep:
            return self._swept(ask, page, now)
        self._polled(page, now)
        return frozenset()

    def failed(self, error: SparkTestError, now: float) -> Outage:
        """The outage that this error began or goes on with."""
        self._failures += 1
        self._poll_cursor = None
        # When it is back it may be another API, or one that lost or restored its store.
        self._restart_sweep(now)
        back_off = min(2.0 ** (self._failures - 1), MAX_BACK_OFF_SECONDS)
        delay = max(back_off * (0.5 + 0.5 * self._dice()), error.retry_after or 0.0)
        cause = text.cut(text.one_line(clean_text(error.detail)), MAX_CAUSE)
        self.outage = Outage(cause, advice(error), now + delay)
        return self.outage

    def hurry(self, now: float) -> None:
        """Ask again at once, and look through the whole list."""
        self._poll_at = now
        self._restart_sweep(now)
        if self.outage:
            self.outage = self.outage._replace(retry_at=now)

    def pace(self, interval: float, now: float) -> None:
        """Poll this often from now on, in seconds; the next poll is not later than that."""
        self.interval = interval
        self._poll_at = min(self._poll_at, now + interval)

    # --- inside ----------------------------------------------------------------------------------

    def _swept(self, ask: Ask, page: RunPage, now: float) -> frozenset[str]:
        self._seen.update(run.id for run in page.runs)
        self._sweep_cursor = page.next
        if self._marked_at is None:
            # Later pages may hold later changes, but those the polls will bring anyway.
            self._set_mark(_newest(page.runs, None), now)
            self._poll_at = now + self.interval
        if page.next is not None:
            return frozenset()
        self.loaded = True
        self._sweep_at = now + SWEEP_SECONDS
        return self._before - self._seen

    def _polled(self, page: RunPage, now: float) -> None:
        self._newest = _newest(page.runs, self._newest)
        self._poll_cursor = page.next
        if page.next is None:
            self._set_mark(self._newest, now)
            self._poll_at = now + self.interval

    def _set_mark(self, newest: datetime | None, now: float) -> None:
        if newest != self._mark or self._marked_at is None:
            self._mark, self._marked_at = newest, now

    def _since(self, now: float) -> datetime | None:
        if self._mark is None or self._marked_at is None:
            return None
        late = now - self._marked_at < OVERLAP_SECONDS
        return self._mark - OVERLAP if late else self._mark + TICK

    def _restart_sweep(self, now: float) -> None:
        self._sweep_at, self._sweep_cursor = now, None


def advice(error: SparkTestError) -> str:
    """What a person can do about an error of the API."""
    if isinstance(error, UnauthorizedError):
        return "set SPARKTEST_TOKEN or SPARKTEST_TOKEN_FILE to a token (sparktest token create)"
    if isinstance(error, ForbiddenError):
        return "this token lacks the scope; ask for one that may read runs"
    return "is it running? start it with sparktest up, or set SPARKTEST_BACKEND_URL"


def _newest(runs: tuple[Run, ...], known: datetime | None) -> datetime | None:
    times = [run.updated_at or run.created_at for run in runs]
    return max([*times, known] if known else times, default=None)
