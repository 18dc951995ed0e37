"""What the API says while `sparktest up` runs: that it is there, and what becomes of runs."""

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Self

from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import SparkTestError
from sparktest.run_fields import reason, run_duration
from sparktest.sanitize import clean

STARTING_SECONDS = 0.1
POLL_SECONDS = 1.0
# Changes that were being stored while we asked last are found by asking a little further back.
OVERLAP = timedelta(seconds=5)


class News:
    """Asks the API in a thread of its own, so that a silent API keeps nobody from stopping.

    Attributes:
        healthy: set once the API has answered.
    """

    def __init__(self, backend_url: str, token: str) -> None:
        self.healthy = threading.Event()
        self._closing = threading.Event()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._client = ApiClient(backend_url, token, clean=clean)
        self._thread = threading.Thread(target=self._listen, name="news", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._thread.join(POLL_SECONDS)

    def lines(self) -> Iterator[str]:
        """What is new since the last call, a line a change, oldest first."""
        while not self._lines.empty():
            yield self._lines.get()

    def _listen(self) -> None:
        # Closed at the end: an API that stops would wait for a connection that is kept.
        with self._client:
            self._ask()

    def _ask(self) -> None:
        since = datetime.now(UTC)
        said: dict[str, str] = {}
        while not self._closing.wait(POLL_SECONDS if self.healthy.is_set() else STARTING_SECONDS):
            try:
                self._client.health()
                self.healthy.set()
                runs = self._client.list_runs(updated_since=since - OVERLAP, limit=1000).runs
            except SparkTestError:
                continue
            for run in reversed(runs):
                line = describe(run)
                if said.get(run.id) != line:
                    self._lines.put(line)
                said[run.id] = line
                since = max(since, run.updated_at or since)


def describe(run: Run) -> str:
    """The run and what it is at, on one line."""
    words = [run.id[:8], run.origin.value, f"{run.namespace}/{run.name}", run.status.value]
    if reason(run):
        words.append(f"({reason(run)})")
    if run.status.final and run.duration is not None:
        words.append(f"in {run_duration(run, datetime.now(UTC))}")
    return " ".join(" ".join(words).split())
