"""An event that SIGTERM and SIGINT set, for programs that run until one of them."""

import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_event() -> Iterator[threading.Event]:
    """Yield an event that the signals set; restore their handlers afterwards.

    The main thread must wait for it with a timeout: the kernel may give a signal to another
    thread, and then a main thread that waits without one never runs the handler.
    """
    stopping = threading.Event()
    # A handler interrupts the main thread anywhere, also while this holds the lock of the event:
    # `stopping.set()` could wait for itself. The put of a SimpleQueue is reentrant.
    received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def set_event() -> None:
        if received.get():
            stopping.set()

    thread = threading.Thread(target=set_event, name="stop-signals", daemon=True)
    thread.start()
    before = {
        number: signal.signal(number, lambda number, _: received.put(number))
        for number in STOP_SIGNALS
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        received.put(0)
        thread.join()
