"""Child processes that stop together, and are killed when their parent dies, even by SIGKILL.

Each has a process group of its own, so Ctrl-C in the terminal reaches only the parent. Each also
inherits one end of a pipe: the kernel closes the parent's end however the parent dies, and the
child then stops (`sparktest.cli.parent_watch`).
"""

import os
import signal
import subprocess
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Self

from sparktest.backoff import Backoff

STOP_SECONDS = 8.0
# More deaths of one program within this time are a fault that a restart does not fix.
MAX_RESTARTS = 10
WINDOW_SECONDS = 60.0
RESTART_BACKOFF = Backoff(first=0.25, cap=5.0)


class ChildProcess:
    """A running program; its output goes to the file `log`, or to our own terminal when None."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        log: Path | None,
        parent_pipe: int,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [*command, "--parent-watch", str(parent_pipe)]
        self._environ = environ
        self._parent_pipe = parent_pipe
        self._process = self._spawn()

    @property
    def pid(self) -> int:
        """The process id; also the id of its process group when it has a log."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return its exit code, minus the signal number if a signal ended it; None if it runs."""
        return self._process.poll()

    def last_lines(self, count: int = 10) -> list[str]:
        """Return the last lines of its log."""
        if self.log is None:
            return []
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return [line.rstrip("\n") for line in deque(lines, count)]

    def stop(self) -> None:
        """Send SIGTERM, wait for it to finish, then SIGKILL what is left of its process group."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            if self.log is None:
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Stop what is left of its process group, and start it again; its log is appended to."""
        self.stop()
        self._process = self._spawn()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        private = partial(os.open, mode=0o600)
        with open(self.log, "ab", opener=private) if self.log else nullcontext() as out:
            return subprocess.Popen(  # noqa: S603 - our own programs
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL if out else None,
                stdout=out,
                stderr=out,
                start_new_session=out is not None,
                pass_fds=(self._parent_pipe,),
            )


class ProcessGroup:
    """The programs of one `sparktest up`; leaving the `with` block stops them in reverse order."""

    def __init__(self, environ: Mapping[str, str], log_folder: Path) -> None:
        self._environ = dict(environ)
        self._log_folder = log_folder
        self._processes: list[ChildProcess] = []

    def __enter__(self) -> Self:
        self._log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Python makes both ends close-on-exec: a child inherits only the one that it is given.
        self._pipe_read, self._pipe_write = os.pipe()
        return self

    def __exit__(self, *error: object) -> None:
        while self._processes:
            self._processes.pop().stop()
        os.close(self._pipe_write)
        os.close(self._pipe_read)

    def start(
        self, name: str, command: Sequence[str], *, on_terminal: bool = False
    ) -> ChildProcess:
        """Start a program; its output replaces `<log folder>/<name>.log` unless `on_terminal`."""
        log = None if on_terminal else self._log_folder / f"{name}.log"
        if log:
            log.unlink(missing_ok=True)
        process = ChildProcess(name, command, self._environ, log=log, parent_pipe=self._pipe_read)
        self._processes.append(process)
        return process

    def ended(self) -> list[ChildProcess]:
        """Return the programs that have ended without being stopped."""
        return [process for process in self._processes if process.exit_code() is not None]


class RestartPolicy:
    """Decides when a program that was killed may start again, by how often it was killed."""

    def __init__(self) -> None:
        self._deaths: defaultdict[str, deque[float]] = defaultdict(deque)

    def delay(self, name: str, now: float) -> float | None:
        """Return the seconds to wait after a death that happened now; None after too many.

        The delay doubles with each death within `WINDOW_SECONDS`.
        """
        deaths = self._deaths[name]
        deaths.append(now)
        while deaths[0] <= now - WINDOW_SECONDS:
            deaths.popleft()
        if len(deaths) > MAX_RESTARTS:
            return None
        return RESTART_BACKOFF.delay(len(deaths) - 1)


class StopSignals:
    """Notes SIGINT, SIGTERM and SIGHUP instead of acting on them, within a `with` block.

    Attributes:
        received: one of them came.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # Only a flag: an exception could lose track of a child that is being started.
        self.received = True
