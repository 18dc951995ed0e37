"""A worker process of the server, and how it ends."""

import ctypes
import logging
import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from gunicorn.workers.base import Worker as BaseWorker  # type: ignore[import-untyped]

from sparktest.api.server.event_loop import EventLoop

# From SIGTERM on: /readyz answers 503, and requests are still served until a load balancer had time
# to notice that, or until there are none any more.
DRAIN_SECONDS = 6.0
QUIET_SECONDS = 1.0
# Then no connection is accepted, and these may send one more request.
LAST_REQUEST_SECONDS = 1.0
# After so long the process ends in any case.
END_SECONDS = 9.0
# Sent to the workers of the program that a reload replaced.
RETIRE = signal.SIGUSR2
POLL_SECONDS = 1.0
GAUGE_SECONDS = 0.5
CLOSING_POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)


class Worker(BaseWorker):  # type: ignore[misc]
    """Worker class of gunicorn: an event loop, and threads that answer requests.

    Attributes:
        slot: of its metrics; no other worker that lives has the same.
    """

    slot = 0

    def init_process(self) -> None:
        """Run until the end; called in the new process."""
        self._ending_since: float | None = None
        self._replaced = False
        self._next_gauges = 0.0
        end_with_parent()
        super().init_process()

    def init_signals(self) -> None:
        """Install the signal handlers."""
        super().init_signals()
        # On Ctrl-C every process of the terminal gets it, and the master tells the workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(RETIRE, self._handle_retire)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; systemd and the master may both send the signal."""
        if self._ending_since is None:
            self._ending_since = time.monotonic()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End the process at once."""
        os._exit(0)

    def _handle_retire(self, sig: int, frame: FrameType | None) -> None:
        self._replaced = True
        self.handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until the process has to end, and until its connections are closed."""
        listeners = [listener.sock for listener in self.sockets]
        self._loop = EventLoop(self.wsgi, listeners, tuple(self.PIPE))
        while self._ending_since is None:
            self._step(POLL_SECONDS)
        self._end(self._ending_since)

    def _step(self, timeout: float) -> None:
        self.notify()
        if os.getppid() != self.ppid:
            # Where `end_with_parent` has no effect.
            os._exit(1)
        self._loop.step(timeout)
        self._set_gauges()

    def _set_gauges(self) -> None:
        now = time.monotonic()
        if now < self._next_gauges:
            return
        self._next_gauges = now + GAUGE_SECONDS
        context, responder = self.wsgi.extensions["sparktest"], self._loop.responder
        context.metrics.set_gauges(
            {
                "connections_open": len(self._loop),
                "streams_open": responder.open_streams,
                "requests_waiting": responder.waiting(),
                "writes_waiting": context.store.writes_waiting(),
                "database_connections_in_use": context.store.connections_in_use(),
            }
        )

    def _end(self, since: float) -> None:
        context: Any = self.wsgi.extensions["sparktest"]
        # The clients of streams resume at another process, or at the next one.
        context.closing.set()
        self._loop.responder.closing = True
        if not self._replaced:
            context.draining.set()
            while time.monotonic() < since + DRAIN_SECONDS and not self._is_quiet(since):
                self._step(CLOSING_POLL_SECONDS)
        self._loop.stop_listening()
        self._loop.close_after(LAST_REQUEST_SECONDS)
        while len(self._loop) and time.monotonic() < since + END_SECONDS:
            self._step(CLOSING_POLL_SECONDS)
        self._loop.close()
        context.store.close()
        # Threads that hang must not delay the end.
        os._exit(0)

    def _is_quiet(self, since: float) -> bool:
        return time.monotonic() > max(since, self._loop.last_request) + QUIET_SECONDS


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, even by SIGKILL; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
