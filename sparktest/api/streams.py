"""Logs as streams: a megabyte at a time, with no connection to the database in between."""

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator

from sparktest.api.context import AppContext
from sparktest.api.store import logs, runs
from sparktest.api.store.rows import Row
from sparktest.errors import UnavailableError

POLL_SECONDS = 0.5
ENDLESS = 2**62

# Waits so many seconds; true when the client went away meanwhile.
Wait = Callable[[float], bool]


def stored(ctx: AppContext, run: Row, container: str, start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` to `end`, all of which are stored."""
    while start < end:
        try:
            with ctx.store.reading() as connection:
                data = logs.read(connection, run["seq"], container, start, end)
        except UnavailableError as error:
            raise _cut() from error
        if not data:
            raise _cut()
        yield data
        start += len(data)


def follow(ctx: AppContext, run: Row, container: str, start: int, wait: Wait) -> Iterator[bytes]:
    """The bytes from `start` on, as they come, until the run has ended or was deleted."""
    while True:
        try:
            with ctx.store.reading() as connection:
                # First the status: what is stored when a run is final is all there is.
                status = runs.status(connection, run["id"])
                data = logs.read(connection, run["seq"], container, start, ENDLESS)
        except UnavailableError:
            if ctx.closing.is_set() or wait(POLL_SECONDS):
                raise _cut() from None
            continue
        if data:
            yield data
            start += len(data)
        elif status is None or status.final:
            return
        elif ctx.closing.is_set():
            # A cut stream tells the client to come back; an end would say that the run has ended.
            raise _cut()
        elif wait(POLL_SECONDS):
            return


def wait_or_disconnect(client: socket.socket | None) -> Wait:
    """A wait that ends early when the client closes the connection.

    A follower of a silent test writes nothing, so only this tells that nobody listens any more.
    Without a socket (no server, or one that shows none) it just waits.
    """

    def wait(seconds: float) -> bool:
        if client is None:
            time.sleep(seconds)
            return False
        poll = select.poll()
        poll.register(client, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return False
        try:
            left = client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except OSError:
            return True
        if not left:
            # It sent its next request early; that stays readable, so waiting is up to us.
            time.sleep(seconds)
        return left

    return wait


def _cut() -> ConnectionResetError:
    # The server drops the connection without the end of the body, and says nothing in its log.
    return ConnectionResetError(errno.ECONNRESET, "the log stream was cut")
