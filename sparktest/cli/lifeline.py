"""A lifeline: a pipe that a parent holds open, and whose end ends the child.

The kernel closes the parent's end however the parent dies, so no child outlives it.
"""

import os
import signal
import threading
import time

import click

GRACE_SECONDS = 30.0


def _tied(context: click.Context, option: click.Parameter, descriptor: int | None) -> None:
    if descriptor is not None:
        threading.Thread(target=_wait, args=(descriptor,), name="lifeline", daemon=True).start()


lifeline_option = click.option(
    "--lifeline",
    type=click.IntRange(0),
    hidden=True,
    is_eager=True,
    expose_value=False,
    callback=_tied,
    help="Stop when this file descriptor reaches its end.",
)


def _wait(descriptor: int) -> None:
    try:
        while os.read(descriptor, 1):
            pass
    except OSError:
        # Not open: whoever was to hold the other end is gone already.
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
