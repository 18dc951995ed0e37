"""The option `--parent-watch`: stop a program whose parent has died, even by SIGKILL.

The parent holds one end of a pipe, and the program inherits the other. The kernel closes the
parent's end however the parent dies.
"""

import os
import signal
import threading
import time
from contextlib import suppress

import click

# How long a program whose parent died may take to stop.
ORPHAN_STOP_SECONDS = 30.0


def _watch_parent(context: click.Context, option: click.Parameter, descriptor: int | None) -> None:
    if descriptor is not None:
        threading.Thread(
            target=_stop_with_parent, args=(descriptor,), name="parent-watch", daemon=True
        ).start()


parent_watch_option = click.option(
    "--parent-watch",
    type=click.IntRange(0),
    hidden=True,
    is_eager=True,
    expose_value=False,
    callback=_watch_parent,
    help="Stop when this file descriptor, one end of a pipe, is closed at the other end.",
)


def _stop_with_parent(descriptor: int) -> None:
    # OSError: the descriptor is not open, so the parent is gone already.
    with suppress(OSError):
        while os.read(descriptor, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_STOP_SECONDS)
    os._exit(1)
