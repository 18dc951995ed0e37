"""Threads that answer requests: a fixed number, and one more for each stream."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from queue import SimpleQueue
from typing import Any

from flask import Flask

from sparktest.api import auth, problems
from sparktest.api.server import http1
from sparktest.api.server.connection import Connection
from sparktest.errors import SparkTestError

REQUEST_THREADS = 32
# Each occupies a thread: log streams, event streams, and large responses to slow clients.
MAX_STREAM_THREADS = 1024

log = logging.getLogger(__name__)


class Responder:
    """Calls the application for the requests of busy connections.

    Attributes:
        open_streams: how many threads send streams.
        closing: the process is about to end: connections are closed after their response.
    """

    def __init__(self, app: Flask, wake: Callable[[Connection], None]) -> None:
        self.open_streams = 0
        self.closing = False
        self._app = app
        # Hands a connection back to the loop.
        self._wake = wake
        self._queue: SimpleQueue[Connection | None] = SimpleQueue()
        self._lock = threading.Lock()
        for number in range(REQUEST_THREADS):
            _start_thread(self._work, f"request-{number}")

    def submit(self, connection: Connection) -> None:
        """Answer the request of a connection, which is busy."""
        self._queue.put(connection)

    def waiting(self) -> int:
        """Return the number of requests that wait for a thread."""
        return self._queue.qsize()

    def close(self) -> None:
        """End the threads, except those that answer a request."""
        for _ in range(REQUEST_THREADS):
            self._queue.put(None)

    def _work(self) -> None:
        while connection := self._queue.get():
            self._guard(connection, self._answer)

    def _guard(self, connection: Connection, step: Callable[[Connection], None]) -> None:
        """Run a step; without a response, or after a part of it, the connection is closed."""
        try:
            step(connection)
        except OSError as error:
            log.debug("connection broken error=%s", error)
            self._abort(connection)
        except Exception:
            log.exception("request failed path=%r", getattr(connection.request, "path", ""))
            self._abort(connection)

    def _answer(self, connection: Connection) -> None:
        request = connection.request
        refusal = http1.refusal(request)
        if refusal:
            self._refuse(connection, refusal)
        elif request.completed:
            self._respond(connection, self._app)
        else:
            self._check(connection)

    def _check(self, connection: Connection) -> None:
        """Check the token of a request before its body is read."""
        environ = http1.environ(connection.request, connection.client, connection.server)
        environ[auth.BODY_FOLLOWS] = True
        with self._app.request_context(environ):
            try:
                auth.check_request()
            except SparkTestError as error:
                refused = problems.from_error(error)
            else:
                connection.accept_body()
                self._wake(connection)
                return
        self._respond(connection, refused, keep_alive=False)

    def _respond(
        self,
        connection: Connection,
        app: Callable[..., Iterable[bytes]],
        *,
        keep_alive: bool = True,
    ) -> None:
        request = connection.request
        keep_alive = keep_alive and http1.wants_keep_alive(request)
        response = http1.Response(request, keep_alive=keep_alive)
        environ = http1.environ(request, connection.client, connection.server)
        environ["sparktest.on_disconnect"] = connection.on_disconnect

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            # The process may have begun to end while the application worked.
            response.keep_alive &= not self.closing
            return response.start(status, headers, exc_info)

        body = app(environ, start)
        if response.streamed:
            self._start_stream(connection, response, body, iter(body))
        else:
            self._send(connection, response, body)

    def _send(
        self, connection: Connection, response: http1.Response, body: Iterable[bytes]
    ) -> None:
        """Send a body of known length; never wait for the client."""
        parts = iter(body)
        try:
            connection.send(response.head + response.frame(next(parts, b"")))
            for part in parts:
                if connection.out:
                    self._start_stream(connection, response, body, chain([part], parts))
                    return
                connection.send(response.frame(part))
        except BaseException:
            _close(body)
            raise
        _close(body)
        self._finish(connection, keep_alive=response.keep_alive)

    def _start_stream(
        self,
        connection: Connection,
        response: http1.Response,
        body: Iterable[bytes],
        parts: Iterator[bytes],
    ) -> None:
        """Send the body in a thread of its own, which may wait for the client."""

        def stream(connection: Connection) -> None:
            try:
                if response.streamed:
                    connection.send_all(response.head)
                for part in parts:
                    connection.send_all(response.frame(part))
                connection.send_all(response.end())
            finally:
                _close(body)
                self._count_stream(-1)
            self._finish(connection, keep_alive=response.keep_alive and not self.closing)

        if self._start_stream_thread(lambda: self._guard(connection, stream)):
            return
        _close(body)
        if response.streamed:
            self._refuse(connection, http1.BUSY)
        else:
            # A part of the body is sent already.
            self._abort(connection)

    def _start_stream_thread(self, target: Callable[[], None]) -> bool:
        """Return False when there are as many streams as allowed, or as the system allows."""
        if self._count_stream(1) > MAX_STREAM_THREADS:
            self._count_stream(-1)
            return False
        try:
            _start_thread(target, "stream")
        except RuntimeError as error:
            log.warning("no thread for a stream error=%s", error)
            self._count_stream(-1)
            return False
        return True

    def _count_stream(self, change: int) -> int:
        with self._lock:
            self.open_streams += change
            return self.open_streams

    def _refuse(self, connection: Connection, refusal: http1.Refusal) -> None:
        connection.send(http1.refused(refusal))
        self._finish(connection, keep_alive=False)

    def _finish(self, connection: Connection, *, keep_alive: bool) -> None:
        """Continue with the next request, or leave the rest to the loop."""
        connection.keep_alive = keep_alive
        if connection.out or not keep_alive or connection.next_request():
            self._wake(connection)

    def _abort(self, connection: Connection) -> None:
        connection.out = b""
        connection.keep_alive = False
        connection.disconnected = True
        self._wake(connection)


def _close(body: Any) -> None:
    if hasattr(body, "close"):
        body.close()


def _start_thread(target: Callable[[], None], name: str) -> None:
    threading.Thread(target=target, name=name, daemon=True).start()
