"""A SparkTest program as a child process that writes its output to a file."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def until(what: str, check: Callable[[], T | None], seconds: float = 60.0, every: float = 0.1) -> T:
    """Wait until `check` returns a true value and return it; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what} (last: {found!r})")
        time.sleep(every)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """`python -m sparktest <args>` in its own process group."""

    def __init__(self, args: list[str], environ: dict[str, str], log: Path) -> None:
        self.args = args
        self.environ = environ
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; append the output to the log."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sparktest", *self.args],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, *, kill: bool = False, seconds: float = 40.0) -> int | None:
        """Send SIGTERM, or SIGKILL to the group; return the exit code, None if not started."""
        if self._process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            if kill:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.terminate()
        try:
            return self._process.wait(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def tail(self, lines: int = 40) -> str:
        """Return the end of the output."""
        if not self.log.exists():
            return "(no output)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
