"""The processes of containers: start them under a shim, stop them, and kill leftovers."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from sparktest.devcluster.volumes import Mount

SHIM = Path(__file__).with_name("shim.py")
# The environment variable that identifies the processes of a pod: <cluster uid>/<pod uid>.
POD_VARIABLE = "SPARKTEST_DEVCLUSTER"
KILL_TIMEOUT_SECONDS = 10.0


class Task(msgspec.Struct, frozen=True):
    """The process of a container.

    `log` is the file for its output; `mounts` and `stage` are for `mounts.mount_all`.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    mounts: list[Mount] = []
    stage: str = ""


class Process:
    """A process that runs under a shim.

    A thread calls `on_report` with each report of the shim. The last report has the key `ended` or
    `failed`, or `lost` if the shim itself was killed.
    """

    def __init__(self, task: Task, on_report: Callable[[dict[str, Any]], None]) -> None:
        self._on_report = on_report
        self._shim = subprocess.Popen(  # noqa: S603 (the user's command)
            [sys.executable, "-I", "-S", str(SHIM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={POD_VARIABLE: task.env[POD_VARIABLE]},
            cwd="/",
            start_new_session=True,
        )
        # Popen has them, since both are pipes.
        self._stdin = cast(IO[bytes], self._shim.stdin)
        self._stdout = cast(IO[bytes], self._shim.stdout)
        self._send(msgspec.to_builtins(task))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def stop(self, grace_seconds: float) -> None:
        """Send TERM now and KILL after the grace period, which another call can only shorten."""
        self._send({"stop": grace_seconds})

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        with suppress(OSError):
            self._stdin.close()
        self._reader.join(KILL_TIMEOUT_SECONDS)

    def _send(self, line: dict[str, Any]) -> None:
        # The shim may have exited: then `ended`, `failed` or `lost` is reported.
        with suppress(OSError, ValueError):
            self._stdin.write(json.dumps(line).encode() + b"\n")
            self._stdin.flush()

    def _read(self) -> None:
        last: dict[str, Any] = {}
        for text in self._stdout:
            last = json.loads(text)
            self._on_report(last)
        with suppress(OSError):
            self._stdin.close()
        self._stdout.close()
        self._shim.wait()
        if "ended" not in last and "failed" not in last:
            self._on_report({"lost": self._shim.returncode})


def kill_leftovers(cluster_uid: str) -> int:
    """Kill the processes that an earlier dev cluster process left; return their number.

    This works on Linux only, which shows the environment of processes; elsewhere the shims alone
    kill them.
    """
    wanted = f"\0{POD_VARIABLE}={cluster_uid}/".encode()
    count = 0
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in b"\0" + path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
                count += 1
    return count
