"""A program of SparkTest as a child process, with its output in a file."""

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
    """What `check` answers once it is truthy; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what} (last: {found!r})")
        time.sleep(every)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """`python -m sparktest <args>` in a process group of its own."""

    def __init__(self, args: list[str], environ: dict[str, str], log: Path) -> None:
        self.args = args
        self.environ = environ
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the output is added to the log."""
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
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self, *, kill: bool = False, seconds: float = 40.0) -> int | None:
        """The exit code after SIGTERM to the program, or after SIGKILL to all of its group."""
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
        """The end of what it printed."""
        if not self.log.exists():
            return "(it printed nothing)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
