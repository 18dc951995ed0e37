"""Reload the server without a gap: the process executes the program anew and keeps its socket.

The listening socket and the workers, which go on serving, are inherited. A new worker that is
ready tells the old ones to end. So everything is loaded as at a start: code, configuration files,
flags.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

# Set for the program that replaces this one: a file descriptor, and the pids of the old workers.
VARIABLE = "_SPARKTEST_API_RELOAD"
CHECK = """
import sparktest.api.application, sparktest.api.worker
from sparktest.settings import load
load()
"""
CHECK_SECONDS = 60

log = logging.getLogger(__name__)


class Inherited(NamedTuple):
    """What this program has from the one that it replaces."""

    listener: socket.socket
    workers: tuple[int, ...]


def take_inherited() -> Inherited | None:
    """Return what the program was given by `replace_program`; None at a usual start."""
    value = os.environ.pop(VARIABLE, None)
    if value is None:
        return None
    descriptor, _, pids = value.partition(":")
    workers = tuple(int(pid) for pid in pids.split(",") if pid)
    return Inherited(socket.socket(fileno=int(descriptor)), workers)


def replace_program(listener: socket.socket, workers: Collection[int]) -> None:
    """Execute the program anew; return only if it could not start."""
    check = subprocess.run(  # noqa: S603 - a constant
        [sys.executable, "-c", CHECK],
        capture_output=True,
        text=True,
        check=False,
        timeout=CHECK_SECONDS,
    )
    if check.returncode != 0:
        reason = check.stderr.strip().rpartition("\n")[2]
        log.error("not reloaded, because the program could not start: %s", reason)
        return
    log.info("reloading")
    listener.set_inheritable(True)
    environ = {**os.environ, VARIABLE: f"{listener.fileno()}:{','.join(map(str, workers))}"}
    # Another one must not end the program before it handles the signal again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ)  # noqa: S606 - itself


def end_workers(workers: Collection[int], retire: signal.Signals) -> None:
    """Tell the workers of the replaced program to end; they are children of the same process."""
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, retire)
