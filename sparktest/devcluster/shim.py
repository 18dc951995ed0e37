"""Run the process of one container and write its log. A program; standard library only.

Each container has a shim, because a process can outlive its parent and leave its process group, and
because the dev cluster itself can be killed. On Linux the shim is a child subreaper: orphaned
descendants become its children, so it finds and kills all of them. Elsewhere it can kill the
process group only. When stdin closes (the dev cluster is gone), it kills everything at once.

stdin: one line of JSON with the task, then lines {"stop": grace period in seconds}.
stdout: lines of JSON: {"started": time}, {"failed": message}, {"ended": {…}}.
Times are in seconds since 1970.
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

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
# Longer lines are stored in parts, as container runtimes do.
MAX_LINE_BYTES = 16 * 1024
# The output after this is replaced with TRUNCATED.
MAX_LOG_BYTES = 256 * 1024 * 1024
TRUNCATED = b"(the dev cluster stores no more than 256 MiB of a log)"
KILL_TIMEOUT_SECONDS = 5.0
MAX_WAIT_SECONDS = 3600.0
LINUX = sys.platform == "linux"


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, on Linux only."""
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def report(**line: Any) -> None:
    """Report to the dev cluster, unless it has exited."""
    with suppress(OSError):
        os.write(1, json.dumps(line).encode() + b"\n")


class Commands:
    """The lines that the dev cluster writes to stdin."""

    def __init__(self) -> None:
        self._rest = b""
        self.closed = False

    def read(self) -> list[dict[str, Any]]:
        """Return the lines that have arrived; set `closed` at the end of stdin."""
        data = os.read(0, 1 << 20)
        self.closed = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


class Log:
    """The log file in CRI format: time, F (full line) or P (partial line), text."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._rest = b""
        self._last = 0
        self._size = 0

    def write(self, data: bytes) -> None:
        """Store the full lines received so far, and keep the rest for the next call."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._store(lines, b"F")
        while len(self._rest) > MAX_LINE_BYTES:
            self._store([self._rest[:MAX_LINE_BYTES]], b"P")
            self._rest = self._rest[MAX_LINE_BYTES:]

    def close(self) -> None:
        """Store the last line if it has no newline."""
        if self._rest:
            self._store([self._rest], b"P")

    def _store(self, lines: list[bytes], flag: bytes) -> None:
        if not lines or self._size > MAX_LOG_BYTES:
            return
        if self._size + sum(map(len, lines)) > MAX_LOG_BYTES:
            lines, flag = [TRUNCATED], b"F"
            self._size = MAX_LOG_BYTES
        # Each line has its own time, so that a reader can resume after its last line.
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
    """Return the pids of all processes below this one."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may contain anything: skip it.
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, level = [], children.get(os.getpid(), [])
    while level:
        found += level
        level = [child for pid in level for child in children.get(pid, [])]
    return found


def kill_all(group: int) -> None:
    """Kill the process group and every descendant that has left it."""
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    for pid in descendants() if LINUX else []:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def reap(main: int) -> tuple[int, Any] | None:
    """Reap exited children; return exit status and resource usage of `main` if it is among them.

    Raises:
        ChildProcessError: no child is left.
    """
    while True:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if pid == main:
            return status, usage
        if pid == 0:
            return None


class ContainerProcess:
    """The main process of a container and its descendants."""

    def __init__(self, task: dict[str, Any], commands: Commands) -> None:
        self.commands = commands
        self.log = Log(task["log"])
        self.output, writing = os.pipe()
        os.set_blocking(self.output, False)
        self.wakeup, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        # Keep the reference: Popen reaps its process when it is garbage collected.
        self.process = subprocess.Popen(  # noqa: S603 (the user's command)
            task["argv"],
            env=task["env"],
            cwd=task["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
            preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
        )
        os.close(writing)
        self.main = self.process.pid
        self.sources = [0, self.output, self.wakeup]
        self.kill_at = float("inf")

    def stop(self, lines: list[dict[str, Any]]) -> None:
        """Send TERM now and KILL after the grace period, which another stop can only shorten."""
        for line in lines:
            with suppress(OSError):
                os.killpg(self.main, signal.SIGTERM)
            self.kill_at = min(self.kill_at, time.monotonic() + line["stop"])

    def wait(self) -> tuple[int, Any]:
        """Wait for the main process; return its exit status and resource usage."""
        while True:
            self.step(min(max(0.0, self.kill_at - time.monotonic()), MAX_WAIT_SECONDS))
            if time.monotonic() >= self.kill_at:
                kill_all(self.main)
                self.kill_at = time.monotonic() + 1
            exited = reap(self.main)
            if exited:
                return exited

    def finish(self) -> None:
        """Kill the remaining processes and store the rest of the output.

        During a stop, they have the rest of the grace period. Otherwise they are killed at once,
        since nothing in a container outlives the main process.
        """
        kill_at = time.monotonic() if self.kill_at == float("inf") else self.kill_at
        with suppress(ChildProcessError):
            while time.monotonic() < kill_at + KILL_TIMEOUT_SECONDS:
                reap(0)
                if time.monotonic() >= kill_at:
                    kill_all(self.main)
                self.step(0.01)
        while self.output in self.sources and select.select([self.output], [], [], 0)[0]:
            self.step(0)
        self.log.close()

    def step(self, timeout: float) -> None:
        """Wait for output, a command or the exit of a child; handle it."""
        ready, _, _ = select.select(self.sources, [], [], timeout)
        if self.output in ready and not self.copy():
            self.sources.remove(self.output)
        if 0 in ready:
            self.stop(self.commands.read())
            if self.commands.closed:  # the dev cluster is gone
                kill_all(self.main)
                self.sources.remove(0)
        if self.wakeup in ready:
            os.read(self.wakeup, 4096)

    def copy(self) -> bool:
        """Copy the available output to the log; return False at its end."""
        with suppress(BlockingIOError):
            data = os.read(self.output, 1 << 20)
            self.log.write(data)
            return bool(data)
        return True


def main() -> None:
    """Run the task from stdin; report its start and end."""
    commands = Commands()
    lines: list[dict[str, Any]] = []
    while not lines and not commands.closed:
        lines = commands.read()
    if not lines:
        return
    task = lines.pop(0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        if task["mounts"]:
            # At the end, so that no module here hides one of the standard library.
            sys.path.append(str(Path(__file__).parents[2]))
            from sparktest.devcluster.mounts import mount_all

            mount_all(task["mounts"], task["stage"])
        container = ContainerProcess(task, commands)
    except (OSError, ValueError) as error:
        message = getattr(error, "strerror", None) or str(error)
        # The program or the working directory.
        file = getattr(error, "filename", None) or task["argv"][0]
        report(failed=f'exec: "{file}": {message}')
        return
    report(started=time.time())
    container.stop(lines)
    status, usage = container.wait()
    finished = time.time()
    container.finish()
    code = os.waitstatus_to_exitcode(status)
    report(
        ended={
            "exitCode": 128 - code if code < 0 else code,
            "finishedAt": finished,
            "memory": usage.ru_maxrss * (1024 if LINUX else 1),
            "cpu": usage.ru_utime + usage.ru_stime,
        }
    )


if __name__ == "__main__":
    main()
