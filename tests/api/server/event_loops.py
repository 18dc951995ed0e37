"""An event loop that runs in a thread, over an application with a few routes."""

import json
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from flask import Flask, Response, request

from sparktest.api.server.event_loop import EventLoop

TIMEOUT_SECONDS = 60
LENGTH = {"Content-Length": "20000000"}


class RunningLoop:
    """A loop in a thread.

    Attributes:
        bodies: the bodies that the application got.
        gate: streams and /wait go on when it is set.
        waiting: a request to /wait is being answered.
        disconnected: a client of /stream has disconnected.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.gate = threading.Event()
        self.waiting = threading.Event()
        self.disconnected = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._running = True
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self.loop = EventLoop(self._app(), [self.listener], self._pipe)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._running:
            self.loop.step(0.05)

    def stop(self) -> None:
        """End the thread, and close everything."""
        self.gate.set()
        self.halt()
        self.listener.close()
        for end in self._pipe:
            os.close(end)

    def halt(self) -> None:
        """End the thread and close the loop; repeated calls have no effect."""
        if self._running:
            self._running = False
            self._thread.join()
            self.loop.close()

    def pipe_has_data(self) -> bool:
        """Return True if the loop would wake up."""
        return bool(select.select([self._pipe[0]], [], [], 0)[0])

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_SECONDS)

    def echo(self) -> bytes:
        """Answer with the body of the request."""
        self.bodies.append(request.get_data())
        return self.bodies[-1]

    def wait(self) -> str:
        """Answer when the gate is open."""
        self.waiting.set()
        self.gate.wait(TIMEOUT_SECONDS)
        return "waited"

    def stream(self) -> Response:
        """Send the second part when the gate is open."""
        request.environ["sparktest.on_disconnect"](self.disconnected.set)

        def parts() -> Iterator[bytes]:
            yield b"first"
            self.gate.wait(TIMEOUT_SECONDS)
            yield b"last"

        return Response(parts())

    def _app(self) -> Flask:
        app = Flask("test")
        app.get("/", endpoint="hello")(lambda: "hello")
        app.get("/large", endpoint="large")(lambda: b"x" * 20_000_000)
        app.get("/parts", endpoint="parts")(_parts)
        app.get("/broken", endpoint="broken")(lambda: Response(_broken()))
        app.post("/echo")(self.echo)
        app.post("/digest", endpoint="digest")(lambda: sha256(request.get_data()).hexdigest())
        app.get("/wait")(self.wait)
        app.get("/stream")(self.stream)
        return app


def _parts() -> Response:
    """Return a body of 20 parts, whose length is known."""
    return Response((b"%d" % (number % 10) * 1_000_000 for number in range(20)), headers=LENGTH)


def _broken() -> Iterator[bytes]:
    yield b"first"
    raise ConnectionResetError


@contextmanager
def running_loop() -> Iterator[RunningLoop]:
    """Yield a loop, and stop it afterwards."""
    loop = RunningLoop()
    try:
        yield loop
    finally:
        loop.stop()


def received(client: socket.socket) -> bytes:
    """Return what arrives until the connection is closed or reset."""
    data = b""
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionResetError:
        return data
    return data


def response(client: socket.socket) -> tuple[int, bytes]:
    """Return status and body of one response with a Content-Length."""
    with client.makefile("rb") as stream:
        status, length = int(stream.readline().split()[1]), 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, stream.read(length)


def problem(data: bytes) -> int:
    """Return the status of a response that must be a problem."""
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, data
    return int(json.loads(body)["status"])


def wait_until(condition) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
