"""Signals between processes: which topics were published by commits of other processes.

PostgreSQL sends notifications. They are sent after the commit, not in the transaction: NOTIFY takes
a lock until the end of its transaction, so that only one transaction could commit at a time. A
process that is killed in between sends none, so a listener also looks by itself every few seconds.
SQLite has a counter that other connections' commits change; reading it takes some microseconds.
"""

import contextlib
import select
import socket
import time
from collections.abc import Collection, Iterator
from typing import Any, Protocol

from sqlalchemy import Engine

from sparktest.api.store.engine import Store

CHANNEL = "sparktest"
# PostgreSQL takes less than 8,000 bytes: these are 37 bytes for each id of a run.
MAX_TOPICS = 200
# Stands for every topic.
ANYTHING = "*"
# How often to look by itself.
POSTGRES_SECONDS = 5.0
SQLITE_SECONDS = 0.5


class Signals(Protocol):
    """What other processes publish, and a wait for it."""

    def wait(self, seconds: float) -> Collection[str]:
        """Return published topics, ANYTHING for unknown ones; none after the time or `interrupt`.

        Raises:
            Exception: the connection is lost; open new signals.
        """

    def send(self, topics: Collection[str]) -> None:
        """Publish topics to other processes."""

    def close(self) -> None:
        """Close the connection."""


class Interrupt:
    """A socket that ends a wait from another thread."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor, which is readable after `set`."""
        return self._reader.fileno()

    def set(self) -> None:
        """End the current wait, or the next one."""
        # A full buffer has the same effect.
        with contextlib.suppress(BlockingIOError):
            self._writer.send(b"!")

    def wait(self, seconds: float) -> None:
        """Wait for `set`, then forget it."""
        _wait_readable([self], seconds)
        self.clear()

    def clear(self) -> None:
        """Forget all calls of `set` before."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Close the sockets."""
        self._reader.close()
        self._writer.close()


class PostgresSignals:
    """Notifications of other processes, on a connection of its own."""

    def __init__(self, engine: Engine, interrupt: Interrupt) -> None:
        self._interrupt = interrupt
        self._connection = _own_connection(engine)
        self._connection.autocommit = True
        self._connection.execute(f"LISTEN {CHANNEL}")
        self._look_at = time.monotonic() + POSTGRES_SECONDS

    def wait(self, seconds: float) -> Collection[str]:
        """Return published topics, see `Signals`."""
        until_look = max(0.0, self._look_at - time.monotonic())
        _wait_readable([self._interrupt, self._connection], min(seconds, until_look))
        self._interrupt.clear()
        topics = set(self._receive())
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + POSTGRES_SECONDS
            topics.add(ANYTHING)
        return topics

    def send(self, topics: Collection[str]) -> None:
        """Publish topics to other processes."""
        payload = ANYTHING if len(topics) > MAX_TOPICS else ",".join(sorted(topics))
        self._connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))

    def _receive(self) -> Iterator[str]:
        for notification in self._connection.notifies(timeout=0):
            if notification.pid != self._connection.info.backend_pid:
                yield from notification.payload.split(",")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class SqliteSignals:
    """Commits of other connections to the file, those of this process included."""

    def __init__(self, engine: Engine, interrupt: Interrupt) -> None:
        self._interrupt = interrupt
        self._connection = _own_connection(engine)
        self._version = self._read_version()
        self._look_at = time.monotonic() + SQLITE_SECONDS

    def wait(self, seconds: float) -> Collection[str]:
        """Return ANYTHING after a commit, see `Signals`."""
        until_look = max(0.0, self._look_at - time.monotonic())
        _wait_readable([self._interrupt], min(seconds, until_look))
        self._interrupt.clear()
        if time.monotonic() < self._look_at:
            return ()
        self._look_at = time.monotonic() + SQLITE_SECONDS
        before, self._version = self._version, self._read_version()
        return () if self._version == before else (ANYTHING,)

    def send(self, topics: Collection[str]) -> None:
        """Do nothing: other processes notice commits by themselves."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def open_signals(store: Store, interrupt: Interrupt) -> Signals:
    """Return the signals of the store's database, from now on."""
    sqlite_in_use = store.engine.dialect.name == "sqlite"
    return (SqliteSignals if sqlite_in_use else PostgresSignals)(store.engine, interrupt)


def _own_connection(engine: Engine) -> Any:
    """Return a connection of the driver that does not belong to the pool."""
    connection = engine.raw_connection()
    driver_connection = connection.driver_connection
    connection.detach()
    return driver_connection


def _wait_readable(sources: list[Any], seconds: float) -> None:
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN)
    poll.poll(seconds * 1000)
