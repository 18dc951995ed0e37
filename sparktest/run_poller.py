"""Decide which page of runs to request next, and when. Pure: takes clock and random numbers.

Polls alternate with sweeps. A poll reads the runs that changed since the newest change seen. A
sweep reads the whole list, newest first: a known run that it does not find has been deleted. Both
read page by page.

    now = time.monotonic()
    wait(poller.delay(now))
    request = poller.next_request(now)
    page = client.list_runs(cursor=request.cursor, updated_since=request.updated_since, ...)
    gone = poller.received(request, page, now)      # or poller.failed(error, now)
"""

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sparktest.backoff import Backoff
from sparktest.domain import Run, RunPage
from sparktest.errors import SparkTestError

FIRST_PAGE_SIZE = 100
PAGE_SIZE = 1000
POLL_SECONDS = 1.0
# Pause between two pages, so that a long list leaves time for other work.
PAGE_SECONDS = 0.02
# A change may become visible a little after its timestamp, so polls overlap by OVERLAP until
# OVERLAP_SECONDS after the newest change.
OVERLAP = timedelta(seconds=5)
OVERLAP_SECONDS = 10.0
# The API stores microseconds: the smallest step after a change.
TICK = timedelta(microseconds=1)
BACKOFF = Backoff(first=1.0, cap=30.0)


class PageRequest(NamedTuple):
    """A page to request; `updated_since` is None in a sweep and until a run has been seen."""

    sweep: bool
    cursor: str | None
    updated_since: datetime | None
    limit: int


class RunPoller:
    """The state of following one list of runs. All times are seconds on one monotonic clock.

    Args:
        rng: random numbers for the jitter of the backoff; None uses the module `random`.
        poll_seconds: the time between two polls.
        sweep_seconds: the time between two sweeps; None: poll only.
        since: the newest change that is known already; None: read everything first.
        backoff: the delays after failures.

    Attributes:
        loaded: True once the whole list has been read.
        error: the error of the last request; None when it succeeded.
        failing_since: the time of the first failure in a row; None while requests succeed.
        retry_at: the time of the next attempt after a failure.
    """

    def __init__(
        self,
        rng: random.Random | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        sweep_seconds: float | None,
        since: datetime | None = None,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self.loaded = False
        self.error: SparkTestError | None = None
        self.failing_since: float | None = None
        self.retry_at = 0.0
        self._rng = rng
        self._poll_seconds = poll_seconds
        self._sweep_seconds = sweep_seconds
        self._backoff = backoff
        self._failures = 0
        self._next_at = 0.0
        self._poll_at = 0.0
        self._sweep_at = None if sweep_seconds is None else 0.0
        self._sweep_cursor: str | None = None
        self._before: frozenset[str] = frozenset()
        self._seen: set[str] = set()
        self._poll_cursor: str | None = None
        # The newest change in the current poll, and in everything before it.
        self._newest: datetime | None = None
        self._watermark = since
        self._watermark_set_at: float | None = None

    def delay(self, now: float) -> float:
        """Return the seconds until the next request; 0 when it is due."""
        if self.error:
            return max(self.retry_at - now, 0.0)
        due = self._poll_at if self._sweep_at is None else min(self._poll_at, self._sweep_at)
        return max(due - now, self._next_at - now, 0.0)

    def next_request(self, now: float, known: Callable[[], Iterable[str]] = tuple) -> PageRequest:
        """Return the next page to request.

        `known` returns the ids of the caller's runs; it is called when a sweep begins.
        """
        sweeping = self._sweep_at is not None and self._sweep_at <= now
        if sweeping and (self._watermark_set_at is None or now < self._poll_at):
            if self._sweep_cursor is None:
                self._before, self._seen = frozenset(known()), set()
            limit = FIRST_PAGE_SIZE if self._watermark_set_at is None else PAGE_SIZE
            return PageRequest(True, self._sweep_cursor, None, limit)
        if self._watermark_set_at is None:
            self._watermark_set_at = now
        if self._poll_cursor is None:
            self._newest = self._watermark
        return PageRequest(False, self._poll_cursor, self._updated_since(now), PAGE_SIZE)

    def received(self, request: PageRequest, page: RunPage, now: float) -> frozenset[str]:
        """Record a page and return the ids of the known runs that are gone.

        Only the last page of a sweep can return any: the known runs that the sweep did not find.
        """
        self.error, self.failing_since, self._failures = None, None, 0
        self._next_at = now + PAGE_SECONDS
        if request.sweep:
            return self._received_sweep(page, now)
        self._received_poll(page, now)
        return frozenset()

    def failed(self, error: SparkTestError, now: float) -> None:
        """Record a failed request and set `retry_at`."""
        self.error = error
        self.failing_since = now if self.failing_since is None else self.failing_since
        self._poll_cursor = None
        # The next answer may come from another API, or from a restored database.
        self._restart_sweep(now)
        delay = self._backoff.delay(self._failures, self._rng)
        self.retry_at = now + max(delay, error.retry_after or 0.0)
        self._failures += 1

    def poll_now(self, now: float) -> None:
        """Poll without delay, then sweep."""
        self._poll_at = now
        self._restart_sweep(now)
        self.retry_at = now

    def set_poll_interval(self, seconds: float, now: float) -> None:
        """Set the time between two polls; the next poll is due within that time."""
        self._poll_seconds = seconds
        self._poll_at = min(self._poll_at, now + seconds)

    def _received_sweep(self, page: RunPage, now: float) -> frozenset[str]:
        self._seen.update(run.id for run in page.runs)
        self._sweep_cursor = page.next
        if self._watermark_set_at is None:
            # Runs on the later pages may have changed since; polls read those changes.
            self._set_watermark(_newest(page.runs, self._watermark), now)
            self._poll_at = now + self._poll_seconds
        if page.next is not None:
            return frozenset()
        self.loaded = True
        self._sweep_at = None if self._sweep_seconds is None else now + self._sweep_seconds
        return self._before - self._seen

    def _received_poll(self, page: RunPage, now: float) -> None:
        self._newest = _newest(page.runs, self._newest)
        self._poll_cursor = page.next
        if page.next is None:
            self._set_watermark(self._newest, now)
            self._poll_at = now + self._poll_seconds

    def _set_watermark(self, newest: datetime | None, now: float) -> None:
        if newest != self._watermark or self._watermark_set_at is None:
            self._watermark, self._watermark_set_at = newest, now

    def _updated_since(self, now: float) -> datetime | None:
        if self._watermark is None or self._watermark_set_at is None:
            return None
        recent = now - self._watermark_set_at < OVERLAP_SECONDS
        return self._watermark - OVERLAP if recent else self._watermark + TICK

    def _restart_sweep(self, now: float) -> None:
        self._sweep_at = None if self._sweep_seconds is None else now
        self._sweep_cursor = None


def _newest(runs: tuple[Run, ...], known: datetime | None) -> datetime | None:
    times = [run.updated_at or run.created_at for run in runs]
    return max([*times, known] if known else times, default=None)
