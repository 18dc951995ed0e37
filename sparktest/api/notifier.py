"""Wake the streams of this process when something that they wait for was committed.

One thread serves all streams: it learns of commits of this process directly, of others by
`store.signals`. It runs only while somebody waits, or something is to be sent to other processes.
"""

import logging
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from sparktest.api.change_feed import ChangeFeed
from sparktest.api.store import Store, runs, signals
from sparktest.api.store.changes import CHANGES
from sparktest.errors import SparkTestError

# How often the thread looks whether the process is about to end.
TICK_SECONDS = 0.5
# How long it runs on without anything to do.
LINGER_SECONDS = 10.0
# A burst of commits costs one reading of the changes, not one for each commit.
PAUSE_SECONDS = 0.005
# The longest pause before changes are read again that wait for another transaction.
MAX_PAUSE_SECONDS = 0.25
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Waiter:
    """A thread that waits for a topic; `clear`, then read, then `wait`, to miss nothing."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.wake = self._event.set
        self.clear = self._event.clear
        self.wait = self._event.wait


class Notifier:
    """The waiters of one process, and the thread that wakes them.

    Args:
        store: the store; its commits are published from now on.
        feed: refreshed when runs change.
        closing: set when the process is about to end; then all waiters are woken.
    """

    def __init__(self, store: Store, feed: ChangeFeed, closing: threading.Event) -> None:
        self._store = store
        self._feed = feed
        self._closing = closing
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # Open while the thread runs.
        self._interrupt: signals.Interrupt | None = None
        self._waiters: dict[str, set[Waiter]] = {}
        # What this process has published: to be looked at, and to be sent to others.
        self._published: set[str] = set()
        self._outbox: set[str] = set()
        # Changes are committed that cannot be read yet.
        self._pending = False
        self._pause = PAUSE_SECONDS
        # Of the runs whose logs are followed: status and size at the last look.
        self._states: Mapping[str, object] = {}
        self._sends = store.engine.dialect.name != "sqlite"
        store.on_commit = self.publish

    @contextmanager
    def listening(self, topic: str) -> Iterator[Waiter]:
        """Yield a waiter for a topic: CHANGES, or the id of a run for its log and its changes."""
        waiter = Waiter()
        with self._lock:
            self._waiters.setdefault(topic, set()).add(waiter)
            self._start()
        try:
            yield waiter
        finally:
            with self._lock:
                remaining = self._waiters[topic]
                remaining.discard(waiter)
                if not remaining:
                    del self._waiters[topic]

    def publish(self, topics: Collection[str]) -> None:
        """Wake the waiters of these topics, in all processes."""
        with self._lock:
            if self._sends:
                self._outbox.update(topics)
            if self._waiters:
                self._published.update(topics)
            if self._waiters or self._outbox:
                self._start()
            if self._interrupt:
                self._interrupt.set()

    def close(self) -> None:
        """End the thread, after `closing` was set."""
        with self._lock:
            thread = self._thread
            if self._interrupt:
                self._interrupt.set()
        if thread:
            thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            interrupt = self._interrupt = signals.Interrupt()
            self._thread = threading.Thread(
                target=self._run, args=(interrupt,), name="notifier", daemon=True
            )
            self._thread.start()

    def _run(self, interrupt: signals.Interrupt) -> None:
        while True:
            try:
                self._serve(interrupt)
            except Exception as error:
                # The database is away, or a bug: streams go on when it is over.
                expected = isinstance(error, SparkTestError)
                log.warning("changes cannot be read error=%s", error, exc_info=not expected)
                self._closing.wait(RETRY_SECONDS)
            if self._is_done():
                return

    def _is_done(self) -> bool:
        """Return True when the thread can end; the next waiter starts another one."""
        with self._lock:
            closing = self._closing.is_set()
            if closing:
                self._wake(self._waiters)
            elif self._waiters or self._outbox:
                return False
            if self._interrupt:
                self._interrupt.close()
            self._thread = self._interrupt = None
            return True

    def _serve(self, interrupt: signals.Interrupt) -> None:
        """Work until nothing was to be done for LINGER_SECONDS, or the process is about to end."""
        source = signals.open_signals(self._store, interrupt)
        watching = False
        end = time.monotonic() + LINGER_SECONDS
        try:
            while not self._closing.is_set() and time.monotonic() < end:
                if self._waiters and not watching:
                    self._restart()
                watching = bool(self._waiters)
                if self._send(source) or watching:
                    end = time.monotonic() + LINGER_SECONDS
                topics = source.wait(self._pause if self._pending else TICK_SECONDS)
                if watching:
                    self._look(topics)
        finally:
            source.close()

    def _send(self, source: signals.Signals) -> bool:
        """Send what this process has published; return False when there is nothing."""
        with self._lock:
            topics, self._outbox = self._outbox, set()
        if topics:
            source.send(topics)
        return bool(topics)

    def _look(self, signalled: Collection[str]) -> None:
        """Read what the topics say is new, and wake all whom it concerns."""
        with self._lock:
            topics = self._published.union(signalled)
            self._published.clear()
            followed = [topic for topic in self._waiters if topic != CHANGES]
            streamed = CHANGES in self._waiters
        anything = signals.ANYTHING in topics
        self._wake_now(topics - {CHANGES})
        if self._pending or anything or CHANGES in topics:
            changed, self._pending = self._feed.refresh(streamed)
            self._wake_now([*changed, CHANGES] if changed else ())
            grown = min(self._pause * 2, MAX_PAUSE_SECONDS)
            self._pause = grown if self._pending and not changed else PAUSE_SECONDS
            self._closing.wait(PAUSE_SECONDS)
        if anything and followed:
            before, self._states = self._states, self._read_states(followed)
            self._wake_now([run for run in followed if self._states.get(run) != before.get(run)])

    def _restart(self) -> None:
        """Let all waiters read what happened while nobody looked."""
        self._feed.restart()
        with self._lock:
            followed = [topic for topic in self._waiters if topic != CHANGES]
        self._states = self._read_states(followed)
        with self._lock:
            self._wake(self._waiters)

    def _read_states(self, followed: list[str]) -> Mapping[str, object]:
        with self._store.reading() as connection:
            return runs.log_states(connection, followed)

    def _wake_now(self, topics: Iterable[str]) -> None:
        with self._lock:
            self._wake(topics)

    def _wake(self, topics: Iterable[str]) -> None:
        for topic in topics:
            for waiter in self._waiters.get(topic, ()):
                waiter.wake()
