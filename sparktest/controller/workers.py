"""Workers: threads that take keys from the queue and have each brought as far as it can go."""

import logging
import threading
import time
from collections.abc import Callable

from sparktest.controller.testruns import Key
from sparktest.controller.workqueue import WorkQueue
from sparktest.errors import SparkTestError

log = logging.getLogger(__name__)


class Workers:
    """A number of threads on one queue; a key that fails is tried again, whatever the error.

    Args:
        work: done for each key; may raise anything.

    Attributes:
        failed: how often a key was given back because the cluster or the API refused.
        broken: how often because of an error of our own.
    """

    def __init__(self, queue: WorkQueue[Key], work: Callable[[Key], None], count: int) -> None:
        self.failed = 0
        self.broken = 0
        self._queue = queue
        self._work = work
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def drain(self, seconds: float) -> bool:
        """Take no more keys; whether those at work were finished in time."""
        self._queue.close()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (key := self._queue.get()) is not None:
            try:
                self._work(key)
            except SparkTestError as error:
                self.failed += 1
                wait = self._queue.retry(key, at_least=error.retry_after or 0.0)
                log.warning(
                    "run not brought on key=%s/%s error=%s retry_seconds=%.1f",
                    *key,
                    error.detail,
                    wait,
                )
            except Exception:
                self.broken += 1
                wait = self._queue.retry(key)
                log.exception("work failed key=%s/%s retry_seconds=%.1f", *key, wait)
            else:
                self._queue.forget(key)
            finally:
                self._queue.done(key)
