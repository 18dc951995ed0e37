"""Runs the process of one container: a program of its own, with nothing but the standard library.

It stands between the dev cluster and the process, because a process can outlive its parent and
leave its group, and a dev cluster can be killed. On Linux it adopts what the process leaves
behind, so nothing escapes it; and when the dev cluster is gone (its end of stdin closes), it kills
everything at once. Elsewhere it can kill the process group only.

stdin: a line of JSON that says what to run, later lines {"stop": seconds of grace}.
stdout: lines of JSON: {"started": …}, {"failed": why}, {"ended": …}. Times in seconds since 1970.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

SUBREAPER, PARENT_DEATH = 36, 1  # prctl(2)
# A line longer than this is stored in parts, as container runtimes do.
LONGEST_LINE = 16 * 1024
# What a container writes beyond this is not stored, and the log says so.
LARGEST_LOG = 256 * 1024 * 1024
CUT = b"(the dev cluster stores no more than 256 MiB of a log)"
KILL_PATIENCE_SECONDS = 5.0
LONGEST_STEP_SECONDS = 3600.0
LINUX = sys.platform == "linux"


def prctl(option: int, value: int) -> None:
    """Tell the kernel something about this process, where it is Linux."""
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def say(**line: Any) -> None:
    """Write a line to the dev cluster, if it still listens."""
    with suppress(OSError):
        os.write(1, json.dumps(line).encode() + b"\n")


class Orders:
    """The lines that come from the dev cluster."""

    def __init__(self) -> None:
        self._rest = b""
        self.over = False

    def read(self) -> list[dict[str, Any]]:
        """The lines that have come; `over` once no more will."""
        data = os.read(0, 1 << 20)
        self.over = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Log:
    """The log file: a line is a time, F (whole) or P (part), and the text."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._rest = b""
        self._last = 0
        self._size = 0

    def write(self, data: bytes) -> None:
        """Store the whole lines of what has come so far."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._store(lines, b"F")
        while len(self._rest) > LONGEST_LINE:
            self._store([self._rest[:LONGEST_LINE]], b"P")
            self._rest = self._rest[LONGEST_LINE:]

    def close(self) -> None:
        """Store what has no end of line."""
        if self._rest:
            self._store([self._rest], b"P")

    def _store(self, lines: list[bytes], flag: bytes) -> None:
        if not lines or self._size > LARGEST_LOG:
            return
        if self._size + sum(map(len, lines)) > LARGEST_LOG:
            lines, flag = [CUT], b"F"
            self._size = LARGEST_LOG
        # No two lines have the same time, so that a reader can go on after the last it has.
        now = max(time.time_ns(), self._last + 1)
        self._last = now + len(lines)
        second = now // 10**9
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        nanos = min(now % 10**9, 10**9 - len(lines))
        records = b"".join(
            b"%b.%09dZ %b %b\n" % (text, nano, flag, line) for nano, line in enumerate(lines, nanos)
        )
        self._size += len(records)
        while records:
            records = records[os.write(self._file, records) :]


def descendants() -> list[int]:
    """The processes below this one, however deep."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may hold anything, so count from behind it.
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, below = [], parents.get(os.getpid(), [])
    while below:
        found += below
        below = [child for pid in below for child in parents.get(pid, [])]
    return found


def kill_all(group: int) -> None:
    """Kill the process group and everything that left it."""
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    for pid in descendants() if LINUX else []:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def reap(main: int) -> tuple[int, Any] | None:
    """Exit status and resource usage of the main process, if it is among those that ended.

    Raises:
        ChildProcessError: no process is left.
    """
    while True:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == main:
            return status, usage
        if pid == 0:
            return None


class Run:
    """The process from its start to the end of the last one that it left behind."""

    def __init__(self, task: dict[str, Any], orders: Orders) -> None:
        self.orders = orders
        self.log = Log(task["log"])
        self.output, writing = os.pipe()
        os.set_blocking(self.output, False)
        self.woken, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        # Kept, since one that is forgotten reaps its process by itself.
        self.process = subprocess.Popen(  # noqa: S603 (what the user asked for)
            task["argv"],
            env=task["env"],
            cwd=task["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
            preexec_fn=lambda: prctl(PARENT_DEATH, signal.SIGKILL),
        )
        os.close(writing)
        self.main = self.process.pid
        self.sources = [0, self.output, self.woken]
        self.kill_at = float("inf")

    def stop(self, lines: list[dict[str, Any]]) -> None:
        """TERM now, and KILL later; every further line can only shorten the grace."""
        for line in lines:
            with suppress(OSError):
                os.killpg(self.main, signal.SIGTERM)
            self.kill_at = min(self.kill_at, time.monotonic() + line["stop"])

    def follow(self) -> tuple[int, Any]:
        """Exit status and resource usage of the process, once it ended."""
        while True:
            self.step(min(max(0.0, self.kill_at - time.monotonic()), LONGEST_STEP_SECONDS))
            if time.monotonic() >= self.kill_at:
                kill_all(self.main)
                self.kill_at = time.monotonic() + 1
            ended = reap(self.main)
            if ended:
                return ended

    def clear(self) -> None:
        """End what the process left behind, and store the last of its output.

        In a stop they have the rest of the grace; else, like in a container, nothing goes on.
        """
        kill_at = time.monotonic() if self.kill_at == float("inf") else self.kill_at
        with suppress(ChildProcessError):
            while time.monotonic() < kill_at + KILL_PATIENCE_SECONDS:
                reap(0)
                if time.monotonic() >= kill_at:
                    kill_all(self.main)
                self.step(0.01)
        while self.output in self.sources and select.select([self.output], [], [], 0)[0]:
            self.step(0)
        self.log.close()

    def step(self, timeout: float) -> None:
        """Wait for output, for an order or for the end of a process, and take it in."""
        ready, _, _ = select.select(self.sources, [], [], timeout)
        if self.output in ready and not self.copy():
            self.sources.remove(self.output)
        if 0 in ready:
            self.stop(self.orders.read())
            if self.orders.over:  # the dev cluster is gone
                kill_all(self.main)
                self.sources.remove(0)
        if self.woken in ready:
            os.read(self.woken, 4096)

    def copy(self) -> bool:
        """Whether more output may come; what has come is in the log."""
        with suppress(BlockingIOError):
            data = os.read(self.output, 1 << 20)
            self.log.write(data)
            return bool(data)
        return True


def main() -> None:
    """Run what stdin says, and say what became of it."""
    orders = Orders()
    lines: list[dict[str, Any]] = []
    while not lines and not orders.over:
        lines = orders.read()
    if not lines:
        return
    task = lines.pop(0)
    prctl(SUBREAPER, 1)
    try:
        run = Run(task, orders)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        # Which may be the working directory.
        what = getattr(error, "filename", None) or task["argv"][0]
        say(failed=f'exec: "{what}": {why}')
        return
    say(started=time.time())
    run.stop(lines)
    status, usage = run.follow()
    finished = time.time()
    run.clear()
    code = os.waitstatus_to_exitcode(status)
    say(
        ended={
            "exitCode": 128 - code if code < 0 else code,
            "finishedAt": finished,
            "memory": usage.ru_maxrss * (1024 if LINUX else 1),
            "cpu": usage.ru_utime + usage.ru_stime,
        }
    )


if __name__ == "__main__":
    main()
