"""Programs as child processes that end together, whatever ends first.

Each is in a process group of its own, so a Ctrl-C of the terminal reaches only us, and holds one
end of a pipe whose other end is ours (sparktest.cli.lifeline): even kill -9 leaves none behind.
"""

import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

STOP_SECONDS = 8.0


class Child:
    """A program that runs; its output goes to the file `log`, or to ours where that is None."""

    def __init__(
        self, name: str, log: Path | None, begin: Callable[[], "subprocess.Popen[bytes]"]
    ) -> None:
        self.name = name
        self.log = log
        self._begin = begin
        self._process = begin()

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's where it has a log."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How it ended (minus the number of the signal that ended it), None while it runs."""
        return self._process.poll()

    def last_lines(self, count: int = 10) -> list[str]:
        """The end of its log."""
        if self.log is None:
            return []
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return [line.rstrip("\n") for line in deque(lines, count)]

    def has_said(self, words: str) -> bool:
        """Whether a line of its log holds the words."""
        if self.log is None:
            return False
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return any(words in line for line in lines)

    def stop(self) -> None:
        """End it: SIGTERM, time to finish its work, then SIGKILL for what is left of its group."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            if self.log is None:
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def revive(self) -> None:
        """Start it again, after ending what is left of its group; its log goes on."""
        self.stop()
        self._process = self._begin()


class Children:
    """The programs of one `sparktest up`; leaving the `with` ends all, the last started first."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = dict(environ)
        self._folder = folder
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Python makes both ends close-on-exec: only who is given the first one inherits it.
        self._lifeline, self._held = os.pipe()
        return self

    def __exit__(self, *error: object) -> None:
        while self._children:
            self._children.pop().stop()
        os.close(self._held)
        os.close(self._lifeline)

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a program with its output in `<folder>/<name>.log`, which is emptied first."""
        log = self._folder / f"{name}.log"
        log.unlink(missing_ok=True)

        def begin() -> "subprocess.Popen[bytes]":
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(descriptor, "ab") as out:  # noqa: PTH123 - of a descriptor
                return subprocess.Popen(  # noqa: S603 - our own programs
                    self._tied(command),
                    env=self._environ,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(self._lifeline,),
                )

        return self._kept(Child(name, log, begin))

    def start_here(self, name: str, command: Sequence[str]) -> Child:
        """Start a program on our own terminal."""

        def begin() -> "subprocess.Popen[bytes]":
            return subprocess.Popen(  # noqa: S603 - our own program
                self._tied(command), env=self._environ, pass_fds=(self._lifeline,)
            )

        return self._kept(Child(name, None, begin))

    def ended(self) -> list[Child]:
        """Those that have ended, though nobody stopped them."""
        return [child for child in self._children if child.exit_code() is not None]

    def _tied(self, command: Sequence[str]) -> list[str]:
        return [*command, "--lifeline", str(self._lifeline)]

    def _kept(self, child: Child) -> Child:
        self._children.append(child)
        return child


class Signals:
    """Whether somebody wants us to end: SIGINT, SIGTERM or SIGHUP came since the `with` began."""

    WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self.WANTED}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # Nothing but a flag: an exception could leave a child that nobody knows of.
        self.came = True
