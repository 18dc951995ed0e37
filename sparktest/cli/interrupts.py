"""Ctrl-C that no command misses.

Python raises KeyboardInterrupt wherever the main thread is. Where that is a finalizer, such as that
of an HTTP response, Python drops the exception without a word, and the command would go on.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.2


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, raise KeyboardInterrupt on SIGINT again until something handles it.

    The block ends when it has been handled. Without effect where SIGINT is ignored or handled in
    another way, and in other threads than the main one.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    alarm = signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGALRM) is _interrupt_again:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Now, and not before: a timer of another library is kept as long as there is no Ctrl-C.
    signal.signal(signal.SIGALRM, _interrupt_again)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise KeyboardInterrupt


def _interrupt_again(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    if not _is_being_handled(sys.exception()):
        raise KeyboardInterrupt


def _is_being_handled(error: BaseException | None) -> bool:
    """Return True if the error or one that it came from is a KeyboardInterrupt."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
