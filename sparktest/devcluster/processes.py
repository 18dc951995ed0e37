"""Processes of containers: started through a shim, told to stop, and found again by a mark."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

SHIM = Path(__file__).with_name("shim.py")
# Every process has it in its environment: dev cluster, pod.
MARK = "SPARKTEST_DEVCLUSTER"
END_SECONDS = 10.0


class Task(msgspec.Struct, frozen=True):
    """What to run: `log` is the file that its output goes to."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: str


class Process:
    """A running process. `tell` gets each line of its shim, in a thread of its own.

    The last line is `ended` or `failed`; `lost` says that the shim is gone without one.
    """

    def __init__(self, task: Task, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._shim = subprocess.Popen(  # noqa: S603 (what runs in it is what the user asked for)
            [sys.executable, "-I", "-S", str(SHIM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={MARK: task.env[MARK]},
            cwd="/",
            start_new_session=True,
        )
        self._say(msgspec.to_builtins(task))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self, grace_seconds: float) -> None:
        """TERM now, KILL after the grace; a second call can only shorten it."""
        self._say({"stop": grace_seconds})

    def abandon(self) -> None:
        """Kill it and wait for its end, as if the dev cluster were gone."""
        with suppress(OSError):
            if self._shim.stdin:
                self._shim.stdin.close()
        self._reader.join(END_SECONDS)

    def _say(self, line: dict[str, Any]) -> None:
        # The shim may be gone already; its last line says so.
        with suppress(OSError, ValueError):
            if self._shim.stdin:
                self._shim.stdin.write(json.dumps(line).encode() + b"\n")
                self._shim.stdin.flush()

    def _read(self) -> None:
        last: dict[str, Any] = {}
        for text in self._shim.stdout or ():
            last = json.loads(text)
            self._tell(last)
        with suppress(OSError):
            if self._shim.stdin:
                self._shim.stdin.close()
        if self._shim.stdout:
            self._shim.stdout.close()
        self._shim.wait()
        if "ended" not in last and "failed" not in last:
            self._tell({"lost": self._shim.returncode})


def end_marked(mark: str) -> list[int]:
    """The processes that had the mark, or one that begins with it; they have been killed.

    Only Linux shows the environment of processes; elsewhere their shims end them.
    """
    wanted = f"\0{MARK}={mark}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in b"\0" + path.read_bytes():
                pid = int(path.parent.name)
                os.kill(pid, signal.SIGKILL)
                found.append(pid)
    return found
