"""A connection of a client: parses requests as bytes arrive, and sends responses.

The event loop reads, and a thread answers. While `busy` is set, the thread owns the request, its
response and `out`; at all other times the loop does. `lock` guards the change between the two.
"""

import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from sparktest.api.server import http1

# For the head of a request, from its first byte (of the first request: from the connection).
HEAD_SECONDS = 10.0
# For a body: this long, and what its bytes so far need at this rate.
BODY_SECONDS = 10.0
BODY_BYTES_PER_SECOND = 64 * 1024
# For the next request on a connection.
KEEP_ALIVE_SECONDS = 30.0
# How long a client may not take a single byte of its response.
SEND_SECONDS = 10.0
# How long to read on what a client sends after an error. Closing at once would make its kernel
# discard the response.
LINGER_SECONDS = 2.0
# A body up to this size is read before the token is checked.
UNCHECKED_BODY_BYTES = 16 * 1024
# What is read of further requests while one is answered.
MAX_PENDING_BYTES = 64 * 1024
RECEIVE_BYTES = 64 * 1024


class Connection:
    """A connection and its current request.

    Attributes:
        busy: a thread works on the request.
        checked: the token was checked before the body is read.
        resuming: the body is to be read, by the loop, which ends `busy` for that.
        deadline: when the loop closes the connection (monotonic); None while it is busy.
        out: bytes of the response that the client has not taken yet.
        pending: received bytes that follow the current request, or its head.
        keep_alive: the connection stays open after the current response.
        lingering: the response is sent, and what still arrives is dropped.
        disconnected: the client has closed the connection, or its side of it.
    """

    def __init__(self, client: socket.socket, address: Any) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = client
        self.client = (str(address[0]), int(address[1]))
        self.server = client.getsockname()[:2]
        self.lock = threading.Lock()
        self.request = http1.new_request()
        self.busy = False
        self.checked = False
        self.resuming = False
        self.out = b""
        self.pending = b""
        self.keep_alive = True
        self.lingering = False
        self.disconnected = False
        self.deadline: float | None = time.monotonic() + HEAD_SECONDS
        self._first = True
        self._body_since = 0.0
        self._on_disconnect: list[Callable[[], None]] = []

    def receive(self) -> bytes | None:
        """Return what has arrived: nothing yet is None, a closed connection is empty."""
        try:
            return self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def feed(self, data: bytes) -> bool:
        """Parse received bytes; return True, and be busy, when a thread must take the request.

        The request then is complete, or must be refused, or its token must be checked before its
        body is read.
        """
        while data:
            data = self._parse(data)
            if self._is_ready():
                self.pending = data
                self.busy, self.deadline = True, None
                return True
            if self.request.completed:
                # Only blank lines, which some clients send after a body.
                self.request = http1.new_request()
        return False

    def _parse(self, data: bytes) -> bytes:
        request = self.request
        if not request.header_bytes_received and not self._first:
            self.deadline = time.monotonic() + HEAD_SECONDS
        had_head = request.headers_finished
        data = data[request.received(data) :]
        if request.headers_finished:
            if not had_head:
                self._body_since = time.monotonic()
            allowed = BODY_SECONDS + request.body_bytes_received / BODY_BYTES_PER_SECOND
            self.deadline = self._body_since + allowed
        return data

    def _is_ready(self) -> bool:
        request = self.request
        if request.completed:
            return not request.empty
        if self.checked or not request.headers_finished:
            return False
        size = max(request.content_length, request.body_bytes_received)
        needs_check = size > UNCHECKED_BODY_BYTES or request.expect_continue
        return bool(needs_check or http1.refusal(request))

    def accept_body(self) -> None:
        """Let the loop read the body of the request, whose token is valid.

        The connection stays busy until then: what arrives earlier must follow the bytes that are
        pending.
        """
        if self.request.expect_continue:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.checked = self.resuming = True

    def resume(self) -> None:
        """Read on: the body of the current request, or the next request."""
        if not self.resuming:
            self.next_request()
            return
        self.resuming = False
        with self.lock:
            self.busy, self.deadline = False, time.monotonic() + BODY_SECONDS

    def next_request(self) -> bool:
        """Expect the next request; return True when bytes of it are pending."""
        self.request.close()
        self.request = http1.new_request()
        self.checked = self._first = False
        self._on_disconnect = []
        with self.lock:
            self._on_disconnect = []
            self.busy, self.deadline = False, time.monotonic() + KEEP_ALIVE_SECONDS
            return bool(self.pending) or self.disconnected

    def send(self, data: bytes) -> None:
        """Send without waiting; what the client does not take now is left in `out`.

        Raises:
            OSError: the client has disconnected.
        """
        if not self.out:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            data = data[sent:]
        self.out += data

    def send_all(self, data: bytes) -> None:
        """Send, and wait as long as the client takes some bytes in `SEND_SECONDS`.

        Raises:
            OSError: it does not, or has disconnected.
        """
        self.send(data)
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        while self.out:
            # A client that has only closed its side still reads; else the next call fails.
            if not poll.poll(SEND_SECONDS * 1000):
                raise TimeoutError("the client reads too slowly")
            self.flush()

    def flush(self) -> None:
        """Send some of `out`; raise OSError when the client has disconnected."""
        data, self.out = self.out, b""
        self.send(data)

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client closes the connection before the response has ended.

        It is called in the thread of the loop, so it must be quick.
        """
        with self.lock:
            self._on_disconnect = [*self._on_disconnect, callback]
            gone = self.disconnected
        if gone:
            callback()

    def note_disconnect(self) -> bool:
        """Note that the client sends no more; return True if a request is answered, or pending."""
        with self.lock:
            self.disconnected = True
            unanswered, callbacks = self.busy or bool(self.pending), self._on_disconnect
        for callback in callbacks:
            callback()
        return unanswered

    def add_pending(self, data: bytes) -> bool:
        """Keep bytes that follow the current request, or pending ones; else return False."""
        with self.lock:
            if not (self.busy or self.pending):
                return False
            self.pending += data
            return True

    def time_out(self) -> None:
        """Tell the client, if it has sent a part of a request, that it was too slow."""
        if self.request.header_bytes_received and not self.out:
            try:
                self.socket.send(http1.refused(http1.TIMEOUT))
            except OSError:
                return

    def close(self) -> None:
        """Close the connection."""
        self.request.close()
        self.socket.close()
