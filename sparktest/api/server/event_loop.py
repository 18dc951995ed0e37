"""The event loop of a worker: accepts connections, reads requests, and ends what is too slow.

A connection costs no thread until a whole request has arrived.
"""

import errno
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from flask import Flask

from sparktest.api.server import http1
from sparktest.api.server.connection import (
    LINGER_SECONDS,
    MAX_PENDING_BYTES,
    SEND_SECONDS,
    Connection,
)
from sparktest.api.server.responder import Responder

MAX_CONNECTIONS = 4096
# Connections accepted before others get their turn.
ACCEPTS_AT_ONCE = 64
SWEEP_SECONDS = 0.5
# Requests of probes do not delay the end of a process.
PROBES = ("/livez", "/readyz", "/metrics")

log = logging.getLogger(__name__)


class EventLoop:
    """The connections of a process.

    Attributes:
        last_request: when the last request came that was no probe (monotonic).
    """

    def __init__(
        self, app: Flask, listeners: Sequence[socket.socket], wakeup: tuple[int, int]
    ) -> None:
        """Create the loop.

        Args:
            app: answers the requests.
            listeners: accept connections.
            wakeup: both ends of a pipe, not blocking; signals may write to it, too.
        """
        self.last_request = time.monotonic()
        self.responder = Responder(app, self._wake)
        self._listeners = list(listeners)
        self._wakeup = wakeup
        self._woken: deque[Connection] = deque()
        # Held to write to the pipe, which belongs to somebody else after close().
        self._wakeup_lock = threading.Lock()
        self._closed = False
        self._connections: dict[int, Connection] = {}
        self._next_sweep = 0.0
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakeup[0], selectors.EVENT_READ)
        for listener in self._listeners:
            listener.setblocking(False)
            self._selector.register(listener.fileno(), selectors.EVENT_READ, listener)

    def step(self, timeout: float) -> None:
        """Handle what happens within `timeout` seconds, at least once."""
        for key, events in self._selector.select(timeout):
            if isinstance(key.data, Connection):
                self._guard(key.data, partial(self._handle, events=events))
            elif key.data is None:
                self._drain_wakeup()
            else:
                self._accept(key.data)
        while self._woken:
            self._guard(self._woken.popleft(), self._settle)
        now = time.monotonic()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._sweep(now)

    def stop_listening(self) -> None:
        """Accept what is waiting, then no more connections."""
        for listener in self._listeners:
            self._accept(listener)
            self._selector.unregister(listener.fileno())
            listener.close()
        self._listeners = []

    def close_after(self, seconds: float) -> None:
        """Close connections on which no request arrives within so many seconds."""
        limit = time.monotonic() + seconds
        for connection in self._connections.values():
            if connection.deadline and not connection.request.header_bytes_received:
                connection.deadline = min(connection.deadline, limit)

    def close(self) -> None:
        """Close all connections, and end the threads that wait for requests.

        A thread that still answers a request does not write to the pipe any more.
        """
        with self._wakeup_lock:
            self._closed = True
        self.responder.close()
        for connection in [*self._connections.values()]:
            self._close(connection)
        self._selector.close()

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._connections)

    def _wake(self, connection: Connection) -> None:
        self._woken.append(connection)
        # If the pipe is full, the loop will run anyway.
        with self._wakeup_lock, suppress(BlockingIOError):
            if not self._closed:
                os.write(self._wakeup[1], b"\0")

    def _drain_wakeup(self) -> None:
        try:
            os.read(self._wakeup[0], 4096)
        except BlockingIOError:
            return

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                client, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._evict()
                return
            self._add(client, address)
            if len(self._connections) > MAX_CONNECTIONS:
                # Read from the others before the next one.
                self._evict()
                return

    def _add(self, client: socket.socket, address: object) -> None:
        try:
            connection = Connection(client, address)
            self._selector.register(client.fileno(), selectors.EVENT_READ, connection)
        except OSError:
            # The client has disconnected already.
            client.close()
            return
        self._connections[client.fileno()] = connection

    def _evict(self) -> None:
        """Close the oldest connection that waits for a request."""
        for connection in self._connections.values():
            if not connection.busy:
                self._close(connection)
                return

    def _guard(self, connection: Connection, step: Callable[[Connection], None]) -> None:
        """Run a step; if it fails, close only this connection."""
        try:
            step(connection)
        except Exception:
            log.exception("connection failed client=%s", connection.client)
            self._close(connection)

    def _handle(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            try:
                connection.flush()
            except OSError:
                self._close(connection)
                return
            self._settle(connection)
        if events & selectors.EVENT_READ and connection.socket.fileno() >= 0:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        data = connection.receive()
        if data is None or (data and connection.lingering):
            return
        if not data:
            if connection.note_disconnect():
                # It is closed after its responses; until then, do not report the end again.
                self._watch(connection, reading=False)
            else:
                self._close(connection)
        elif connection.add_pending(data):
            if len(connection.pending) > MAX_PENDING_BYTES:
                self._watch(connection, reading=False)
        elif connection.feed(data):
            self._submit(connection)

    def _submit(self, connection: Connection) -> None:
        if getattr(connection.request, "path", "") not in PROBES:
            self.last_request = time.monotonic()
        self.responder.submit(connection)

    def _settle(self, connection: Connection) -> None:
        """Continue with a connection whose thread is done."""
        if connection.socket.fileno() < 0:
            return
        if connection.out:
            connection.deadline = time.monotonic() + SEND_SECONDS
            self._watch(connection, reading=False, writing=True)
        elif not connection.keep_alive:
            self._end(connection)
        else:
            if connection.busy:
                connection.resume()
            self._watch(connection, reading=not connection.disconnected)
            data, connection.pending = connection.pending, b""
            if data and connection.feed(data):
                self._submit(connection)
            elif connection.disconnected:
                self._close(connection)

    def _end(self, connection: Connection) -> None:
        """Close a connection; if the client may still send, read on for a while."""
        request = connection.request
        ended = request.completed and not request.error and not http1.wants_keep_alive(request)
        if ended or connection.disconnected:
            self._close(connection)
            return
        connection.lingering, connection.busy = True, False
        connection.pending = b""
        connection.deadline = time.monotonic() + LINGER_SECONDS
        try:
            connection.socket.shutdown(socket.SHUT_WR)
            self._watch(connection, reading=True)
        except OSError:
            self._close(connection)

    def _watch(self, connection: Connection, *, reading: bool, writing: bool = False) -> None:
        events = reading * selectors.EVENT_READ | writing * selectors.EVENT_WRITE
        descriptor = connection.socket.fileno()
        known = self._selector.get_map().get(descriptor)
        if known is None and events:
            self._selector.register(descriptor, events, connection)
        elif known is not None and not events:
            self._selector.unregister(descriptor)
        elif known is not None and known.events != events:
            self._selector.modify(descriptor, events, connection)

    def _sweep(self, now: float) -> None:
        late = [
            connection
            for connection in self._connections.values()
            if connection.deadline is not None and connection.deadline <= now
        ]
        for connection in late:
            connection.time_out()
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        if descriptor < 0:
            return
        self._watch(connection, reading=False)
        del self._connections[descriptor]
        connection.close()
