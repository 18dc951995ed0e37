"""Worker threads: take keys from the queue and reconcile them."""

import logging
import threading
import time
from collections.abc import Callable

from sparktest.controller.steps import LostRaceError
from sparktest.controller.testruns import Key
from sparktest.controller.workqueue import WorkQueue
from sparktest.errors import SparkTestError

log = logging.getLogger(__name__)


class Workers:
    """Threads that share one queue; a key is retried after any error.

    Args:
        reconcile: called with each key; may raise any exception.
        on_reconciled: called with the seconds that a reconcile took, and True if it failed.
    """

    def __init__(
        self,
        queue: WorkQueue[Key],
        reconcile: Callable[[Key], None],
        count: int,
        on_reconciled: Callable[[float, bool], None] = lambda seconds, failed: None,
    ) -> None:
        self._queue = queue
        self._on_reconciled = on_reconciled
        self._reconcile = reconcile
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def drain(self, seconds: float) -> bool:
        """Take no more keys; return False if the workers did not finish in time."""
        self._queue.close()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (key := self._queue.get()) is not None:
            began, failed = time.monotonic(), True
            try:
                self._reconcile(key)
            except SparkTestError as error:
                delay = self._queue.retry(key, at_least=error.retry_after or 0.0)
                # The other writer, perhaps a second controller, has done nothing wrong.
                level = logging.INFO if isinstance(error, LostRaceError) else logging.WARNING
                log.log(
                    level,
                    "reconcile failed key=%s/%s error=%s retry_seconds=%.1f",
                    *key,
                    error.detail,
                    delay,
                )
            except Exception:
                delay = self._queue.retry(key)
                log.exception("reconcile failed key=%s/%s retry_seconds=%.1f", *key, delay)
            else:
                failed = False
                self._queue.forget(key)
            finally:
                self._on_reconciled(time.monotonic() - began, failed)
                self._queue.done(key)
