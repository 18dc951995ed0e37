"""Streams: events of runs and logs that are followed; none holds a database connection."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Response

from sparktest.api import sse
from sparktest.api.change_feed import Event
from sparktest.api.context import MAX_STREAMS, AppContext
from sparktest.api.notifier import Waiter
from sparktest.api.store import logs, runs
from sparktest.api.store.changes import CHANGES
from sparktest.api.store.engine import Row
from sparktest.errors import UnavailableError

ENDLESS = 2**62
# A client connects again after this time, so that its token is checked again.
MAX_EVENTS_SECONDS = 900.0
# While the database is away.
RETRY_SECONDS = 1.0


def respond(ctx: AppContext, body: Iterator[bytes], mimetype: str) -> Response:
    """Return the response with this body, which may take any time.

    Raises:
        UnavailableError: too many streams are open.
    """
    if not ctx.streams.acquire(blocking=False):
        raise UnavailableError(f"{MAX_STREAMS} streams are open already", retry_after=5)
    response = Response(body, mimetype=mimetype, headers=sse.HEADERS)
    response.call_on_close(ctx.streams.release)
    return response


class Client:
    """The other end of a stream.

    Args:
        environ: of WSGI; our server has a function there that takes a callback. With another
            server, a stream ends when it can no longer be written to.
    """

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._on_disconnect = environ.get("sparktest.on_disconnect", lambda callback: None)
        self._gone = False

    def wait(self, waiter: Waiter, seconds: float) -> bool:
        """Wait until woken, or for some seconds; return True when the client has disconnected."""
        # It may have disconnected, and woken the waiter, before that was cleared.
        if not self._gone:
            waiter.wait(seconds)
        return self._gone

    def wake_on_disconnect(self, waiter: Waiter) -> None:
        """Wake the waiter when the client disconnects, as far as the server tells."""

        def note() -> None:
            self._gone = True
            waiter.wake()

        self._on_disconnect(note)


def events(
    ctx: AppContext, seq: int, wanted: Callable[[Event], bool], client: Client, beginning: bytes
) -> Iterator[bytes]:
    """Yield the events after a number that are wanted, and heartbeats.

    Args:
        ctx: the context.
        seq: the number of the change to begin after.
        wanted: returns True for the events to send.
        client: the other end.
        beginning: what is sent at once.
    """
    silent_since = time.monotonic()
    end = silent_since + MAX_EVENTS_SECONDS
    yield beginning
    with ctx.notifier.listening(CHANGES) as waiter:
        client.wake_on_disconnect(waiter)
        while not ctx.closing.is_set() and time.monotonic() < end:
            waiter.clear()
            try:
                found, after = ctx.feed.after(seq)
            except UnavailableError:
                found, after = (), seq
                ctx.closing.wait(RETRY_SECONDS)
            seq, advanced = after, after != seq
            frames = b"".join(event.frame for event in found if wanted(event))
            if not frames and time.monotonic() - silent_since >= sse.HEARTBEAT_SECONDS:
                frames = sse.heartbeat(str(seq))
            if frames:
                yield frames
                silent_since = time.monotonic()
            elif not advanced and client.wait(waiter, sse.HEARTBEAT_SECONDS):
                return


def stored(ctx: AppContext, run: Row, container: str, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end`, all of which are stored."""
    while start < end:
        try:
            with ctx.store.reading() as connection:
                data = logs.read(connection, run["seq"], container, start, end)
        except UnavailableError as error:
            raise _broken_stream() from error
        if not data:
            raise _broken_stream()
        yield data
        start += len(data)


def follow(
    ctx: AppContext, run: Row, container: str, start: int, client: Client
) -> Iterator[bytes]:
    """Yield the bytes from `start` on as they arrive, until the run is final or deleted.

    Empty bytes come first, so that any server sends the headers, and then with every heartbeat.
    """
    yield b""
    silent_since = time.monotonic()
    with ctx.notifier.listening(run["id"]) as waiter:
        client.wake_on_disconnect(waiter)
        while True:
            waiter.clear()
            data, ended = _read_on(ctx, run, container, start)
            if data or time.monotonic() - silent_since >= sse.HEARTBEAT_SECONDS:
                yield data or b""
                start += len(data or b"")
                silent_since = time.monotonic()
            elif ended:
                return
            elif ctx.closing.is_set():
                # A broken stream makes the client reconnect; a clean end would mean a final run.
                raise _broken_stream()
            elif data is None:
                ctx.closing.wait(RETRY_SECONDS)
            elif client.wait(waiter, sse.HEARTBEAT_SECONDS):
                # It may still read, and must not take this for the whole log.
                raise _broken_stream()


def _read_on(ctx: AppContext, run: Row, container: str, start: int) -> tuple[bytes | None, bool]:
    """Return what is stored from `start` on, and whether no more will be; None: cannot be read."""
    try:
        with ctx.store.reading() as connection:
            # Read the status first: the log of a final run is complete in the store.
            status = runs.status(connection, run["id"])
            data = logs.read(connection, run["seq"], container, start, ENDLESS)
    except UnavailableError:
        return None, False
    return data, status is None or status.final


def _broken_stream() -> ConnectionResetError:
    # The server closes the connection without the end of the body.
    return ConnectionResetError(errno.ECONNRESET, "the log stream was interrupted")
