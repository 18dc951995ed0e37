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
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import NamedTuple

# Set for the program that replaces this one: a file descriptor, and the pids of the old workers.
VARIABLE = "_SPARKTEST_API_RELOAD"
CHECK = """
import sparktest.api.application, sparktest.api.server.worker
from sparktest.settings import load
load()
"""
CHECK_SECONDS = 60
# Wait until the server can handle them: before that they would end the process at once, and one
# that this program has not handled yet would be lost to the next.
HELD = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

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


def hold_signals() -> None:
    """Have the kernel keep the signals of the server, also while the program is replaced."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def release_signals() -> None:
    """Handle signals from now on, first those that have arrived."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def replace_program(
    listener: socket.socket, workers: Collection[int], ending: Callable[[], bool]
) -> None:
    """Execute the program anew; return only if it could not start, or is to end.

    Args:
        listener: the socket that the next program takes over.
        workers: the pids of the processes that serve.
        ending: returns True once a signal to end has arrived.
    """
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
    hold_signals()
    try:
        if not ending():
            arguments = [sys.executable, *sys.orig_argv[1:]]
            os.execve(sys.executable, arguments, environ)  # noqa: S606 - itself
    finally:
        release_signals()


def end_workers(workers: Collection[int], retire: signal.Signals) -> None:
    """Tell the workers of the replaced program to end; they are children of the same process."""
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, retire)
