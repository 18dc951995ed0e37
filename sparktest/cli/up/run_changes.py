"""The API as seen by `sparktest up`: whether it is ready, and which runs change."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

from sparktest.cli.runs import changes
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import SparkTestError
from sparktest.run_fields import reason, run_duration
from sparktest.sanitize import clean

STARTUP_POLL_SECONDS = 0.1
CLOSE_SECONDS = 1.0


class RunChanges:
    """Polls the API in a thread of its own, so that an API that hangs never blocks a stop.

    Attributes:
        api_ready: set once the API has answered.
        controller_ready: set once a controller has called the API in this session. A controller
            does so when its caches have synced.
    """

    def __init__(self, backend_url: str, token: str) -> None:
        self.api_ready = threading.Event()
        self.controller_ready = threading.Event()
        self._closing = threading.Event()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._client = ApiClient(backend_url, token, clean=clean)
        self._thread = threading.Thread(target=self._poll, name="run-changes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)

    def lines(self) -> Iterator[str]:
        """Yield a line per change since the last call, oldest first."""
        while not self._lines.empty():
            yield self._lines.get()

    def _poll(self) -> None:
        since = datetime.now(UTC)
        # Closed at the end: an API that stops would wait for an idle connection.
        with self._client:
            while not self.controller_ready.is_set():
                if self._closing.wait(STARTUP_POLL_SECONDS):
                    return
                with suppress(SparkTestError):
                    self._check_ready(since)
            printed: dict[str, str] = {}
            for run in changes(
                self._client, {}, [], since=since, pause=self._closing.wait, keep_trying=True
            ):
                line = describe(run)
                # Not every change of a run changes its line.
                if printed.get(run.id) != line:
                    self._lines.put(line)
                printed[run.id] = line

    def _check_ready(self, since: datetime) -> None:
        if not self.api_ready.is_set():
            self._client.health()
            self.api_ready.set()
        controllers = self._client.list_controllers()
        # Older calls are those of an earlier session on the same database.
        if any(each.seen_at >= since for each in controllers):
            self.controller_ready.set()


def describe(run: Run) -> str:
    """Return one line about a run and its status."""
    words = [run.id[:8], run.origin.value, f"{run.namespace}/{run.name}", run.status.value]
    if reason(run):
        words.append(f"({reason(run)})")
    if run.status.final and run.duration is not None:
        words.append(f"in {run_duration(run, datetime.now(UTC))}")
    return " ".join(" ".join(words).split())
