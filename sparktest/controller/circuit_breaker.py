"""CircuitBreaker: whether the API can be reached, and the keys that wait until it can."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sparktest.controller.testruns import Key
from sparktest.errors import (
    ForbiddenError,
    NotFoundError,
    SparkTestError,
    UnauthorizedError,
    UnavailableError,
)

log = logging.getLogger(__name__)

# So many failures in a row open the breaker; fewer are retried by their callers.
MAX_FAILURES = 5
# While writes fail, another deferred key tries one this often.
TRIAL_INTERVAL = timedelta(seconds=5)


class CircuitBreaker:
    """Opens when a call of the API fails, and closes when one succeeds; threads may share it.

    An API may answer reads while its writes fail or hang. So once writes have failed, only a write
    closes the breaker: that of a log, or that of one deferred key at a time (half-open).

    Args:
        on_key: called with each deferred key once the breaker closes.
        on_open: called when it opens, before which no key knew that it has to wait.
        clock: returns the current time.

    Attributes:
        error: why the API cannot be reached; None while the breaker is closed.
        opened_at: when it opened; None while it is closed.
    """

    def __init__(
        self,
        *,
        on_key: Callable[[Key], None],
        on_open: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self.error: str | None = None
        self.opened_at: datetime | None = None
        self._on_key = on_key
        self._on_open = on_open
        self._clock = clock
        self._lock = threading.Lock()
        # In the order of deferral.
        self._deferred: dict[Key, None] = {}
        # In a row, by whether they are writes.
        self._failures = {True: 0, False: 0}
        self._writes_fail = False
        self._trial: Key | None = None
        self._next_trial_at: datetime | None = None

    def error_for(self, key: Key) -> str | None:
        """Return why the key must not call the API; None if it may, since it is the trial."""
        return None if key == self._trial else self.error

    def record(self, method: str, error: SparkTestError | None) -> None:
        """Take note of the result of any request; `error` is None for a response without one."""
        is_write = method != "GET"
        if isinstance(error, UnavailableError | UnauthorizedError):
            with self._lock:
                self._failures[is_write] += 1
                failures = self._failures[is_write]
            if failures >= MAX_FAILURES:
                self.failed(error, is_write=is_write)
        elif isinstance(error, NotFoundError | ForbiddenError):
            # Of this run, or of a proxy that does not know the route or the token.
            return
        elif error is None or (is_write and not error.retryable):
            # A write that is refused for what it says was executed as far as it can be.
            self.succeeded(is_write=is_write)

    def failed(self, error: SparkTestError, *, is_write: bool = False) -> None:
        """Open the breaker, because calls fail."""
        with self._lock:
            was_closed = self.error is None
            now = self._clock()
            self.opened_at = self.opened_at or now
            self.error = error.detail
            self._writes_fail = self._writes_fail or is_write
        if was_closed:
            log.warning("api unreachable error=%s", error.detail)
            self._on_open()

    def succeeded(self, *, is_write: bool = False) -> None:
        """Close the breaker, because a call has succeeded, and reconcile the deferred keys."""
        with self._lock:
            self._failures[is_write] = 0
            keys = self._half_open() if self._writes_fail and not is_write else self._close()
        for key in keys:
            self._on_key(key)

    def defer(self, key: Key) -> None:
        """Reconcile the key when the breaker closes; at once if it is closed."""
        with self._lock:
            if self.error is not None:
                self._deferred[key] = None
                return
        self._on_key(key)

    def _close(self) -> list[Key]:
        """Return the keys that have waited for it."""
        if self.error is None:
            return []
        log.info("api reachable again deferred=%d", len(self._deferred))
        self.error = self.opened_at = self._trial = self._next_trial_at = None
        self._writes_fail = False
        deferred, self._deferred = list(self._deferred), {}
        return deferred

    def _half_open(self) -> list[Key]:
        """Return the key that may try a write now, if one is due; close if no key is deferred."""
        now = self._clock()
        if self._next_trial_at and now < self._next_trial_at:
            return []
        if not self._deferred:
            return self._close()
        self._trial, self._next_trial_at = next(iter(self._deferred)), now + TRIAL_INTERVAL
        del self._deferred[self._trial]
        return [self._trial]
