"""What the API says while `sparktest up` runs: whether it is ready, and which runs change."""

import queue
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

from sparktest.backoff import Backoff
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import SparkTestError
from sparktest.run_fields import reason, run_duration
from sparktest.run_poller import RunPoller
from sparktest.sanitize import clean

STARTUP_POLL_SECONDS = 0.1
POLL_SECONDS = 1.0
CLOSE_SECONDS = 1.0
BACKOFF = Backoff(first=0.5, cap=4.0)


class RunChanges:
    """Polls the API in a thread of its own, so that an API that hangs never blocks a stop.

    Attributes:
        api_ready: set once the API has answered.
        controller_ready: set once a controller has called the API in this session. A controller
            does so when its caches have synced.
    """

    def __init__(self, backend_url: str, token: str, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.api_ready = threading.Event()
        self.controller_ready = threading.Event()
        self._closing = threading.Event()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._client = ApiClient(backend_url, token, clean=clean)
        self._started_at = datetime.now(UTC)
        self._poller = RunPoller(
            random.Random(),  # noqa: S311 - jitter
            poll_seconds=poll_seconds,
            sweep_seconds=None,
            since=self._started_at,
            backoff=BACKOFF,
        )
        self._changed: list[Run] = []
        self._printed: dict[str, str] = {}
        self._thread = threading.Thread(target=self._poll_forever, name="run-changes", daemon=True)

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

    def _poll_forever(self) -> None:
        # Closed at the end: an API that stops would wait for an idle connection.
        with self._client:
            while not self._closing.wait(self._delay()):
                if not self.controller_ready.is_set():
                    with suppress(SparkTestError):
                        self._check_ready()
                if self.api_ready.is_set() and self._poller.delay(time.monotonic()) == 0:
                    self._poll()

    def _delay(self) -> float:
        delay = self._poller.delay(time.monotonic())
        return delay if self.controller_ready.is_set() else min(delay, STARTUP_POLL_SECONDS)

    def _check_ready(self) -> None:
        if not self.api_ready.is_set():
            self._client.health()
            self.api_ready.set()
        controllers = self._client.list_controllers()
        # Older calls are those of an earlier session on the same database.
        if any(each.seen_at >= self._started_at for each in controllers):
            self.controller_ready.set()

    def _poll(self) -> None:
        request = self._poller.next_request(time.monotonic())
        try:
            page = self._client.list_runs(
                updated_since=request.updated_since, cursor=request.cursor, limit=request.limit
            )
        except SparkTestError as error:
            self._changed.clear()
            self._poller.failed(error, time.monotonic())
            return
        self._poller.received(request, page, time.monotonic())
        self._changed += page.runs
        if page.next:
            return
        for run in reversed(self._changed):
            line = describe(run)
            # The overlap of two polls brings the same change again.
            if self._printed.get(run.id) != line:
                self._lines.put(line)
            self._printed[run.id] = line
        self._changed.clear()


def describe(run: Run) -> str:
    """Return one line about a run and its status."""
    words = [run.id[:8], run.origin.value, f"{run.namespace}/{run.name}", run.status.value]
    if reason(run):
        words.append(f"({reason(run)})")
    if run.status.final and run.duration is not None:
        words.append(f"in {run_duration(run, datetime.now(UTC))}")
    return " ".join(" ".join(words).split())
