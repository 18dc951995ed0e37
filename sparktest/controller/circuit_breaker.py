"""CircuitBreaker: whether the API can be reached, and the keys that wait until it can."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from sparktest.controller.testruns import Key
from sparktest.errors import SparkTestError

log = logging.getLogger(__name__)


class CircuitBreaker:
    """Opens when a call of the API fails, and closes when one succeeds; threads may share it.

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
        self._deferred: set[Key] = set()

    def failed(self, error: SparkTestError) -> None:
        """Open the breaker, because a call has failed."""
        with self._lock:
            was_closed = self.error is None
            self.opened_at = self.opened_at or self._clock()
            self.error = error.detail
        if was_closed:
            log.warning("api unreachable error=%s", error.detail)
            self._on_open()

    def succeeded(self) -> None:
        """Close the breaker, because a call has succeeded, and reconcile the deferred keys."""
        with self._lock:
            was_open, self.error, self.opened_at = self.error is not None, None, None
            deferred, self._deferred = self._deferred, set()
        if was_open:
            log.info("api reachable again deferred=%d", len(deferred))
        for key in deferred:
            self._on_key(key)

    def defer(self, key: Key) -> None:
        """Reconcile the key when the breaker closes; at once if it is closed."""
        with self._lock:
            if self.error is not None:
                self._deferred.add(key)
                return
        self._on_key(key)
