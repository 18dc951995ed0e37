"""Works for tests of the writer, and a writer that is kept busy so that works wait together."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from unittest.mock import patch

from sqlalchemy import insert, select

from sparktest.api.store import Store, writer
from sparktest.api.store.tables import ControllerRow

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SECONDS = 60


def adding(name: str, error: BaseException | None = None):
    """Return a work that stores a row and returns its name, or then raises the error."""

    def work(connection):
        connection.execute(insert(ControllerRow).values(cluster=name, seen_at=NOW))
        if error is not None:
            raise error
        return name

    return work


def stored(store: Store) -> set[str]:
    with store.reading() as connection:
        return set(connection.execute(select(ControllerRow.cluster)).scalars())


def caught(call, *args):
    """Return the result of the call, or its error."""
    try:
        return call(*args)
    except BaseException as error:  # noqa: BLE001 - the test looks at it
        return error


def wait_until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class Busy:
    """Keep the writer of the store busy, so that works wait until the end of the block."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.executor = ThreadPoolExecutor(300)
        self.held, self.released = threading.Event(), threading.Event()

    def __enter__(self):
        self.executor.submit(self.store.write, self.hold)
        assert self.held.wait(SECONDS)
        return self

    def __exit__(self, *error):
        self.released.set()
        self.executor.shutdown()

    def hold(self, connection):
        self.held.set()
        assert self.released.wait(SECONDS)

    def submit(self, work):
        """Let a work wait behind those that were submitted before."""
        before = len(self.store._writer._waiting)
        answer = self.executor.submit(caught, self.store.write, work)
        wait_until(lambda: len(self.store._writer._waiting) > before)
        return answer


def in_one_batch(store: Store, works, seconds: float = SECONDS) -> list:
    """Execute the works in one transaction; return the result or the error of each.

    The default of MAX_BATCH_SECONDS is not enough on a busy machine.
    """
    with patch.object(writer, "MAX_BATCH_SECONDS", seconds), Busy(store) as busy:
        answers = [busy.submit(work) for work in works]
    return [answer.result(SECONDS) for answer in answers]
