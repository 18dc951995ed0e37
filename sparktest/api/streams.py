"""Stream logs: one megabyte at a time, without a database connection in between."""

import errno
import threading
from collections.abc import Callable, Iterator

from sparktest.api.context import AppContext
from sparktest.api.store import logs, runs
from sparktest.api.store.engine import Row
from sparktest.errors import UnavailableError

POLL_SECONDS = 0.5
ENDLESS = 2**62

# Wait for some seconds; return True when the client has disconnected.
Wait = Callable[[float], bool]


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


def follow(ctx: AppContext, run: Row, container: str, start: int, wait: Wait) -> Iterator[bytes]:
    """Yield the bytes from `start` on as they arrive, until the run is final or deleted."""
    while True:
        try:
            with ctx.store.reading() as connection:
                # Read the status first: the log of a final run is complete in the store.
                status = runs.status(connection, run["id"])
                data = logs.read(connection, run["seq"], container, start, ENDLESS)
        except UnavailableError:
            if ctx.closing.is_set() or wait(POLL_SECONDS):
                raise _broken_stream() from None
            continue
        if data:
            yield data
            start += len(data)
        elif status is None or status.final:
            return
        elif ctx.closing.is_set():
            # A broken stream makes the client reconnect; a clean end would mean a final run.
            raise _broken_stream()
        elif wait(POLL_SECONDS):
            return


def wait_or_disconnect(on_disconnect: Callable[[Callable[[], None]], None] | None) -> Wait:
    """Return a wait function that returns early when the client closes the connection.

    The stream of a silent test writes nothing, so a disconnect is noticed only here.

    Args:
        on_disconnect: `sparktest.on_disconnect` of the WSGI environment; None without a server.
    """
    disconnected = threading.Event()
    if on_disconnect is not None:
        on_disconnect(disconnected.set)
    return disconnected.wait


def _broken_stream() -> ConnectionResetError:
    # The server closes the connection without the end of the body.
    return ConnectionResetError(errno.ECONNRESET, "the log stream was interrupted")
