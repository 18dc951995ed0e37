import os
import signal
import threading
from typing import Any, cast

import pytest

from sparktest.stop_signals import STOP_SIGNALS, stop_event


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_sets_the_event_and_its_handler_is_restored(number: int) -> None:
    before = signal.getsignal(number)
    with stop_event() as stopping:
        assert not stopping.is_set()
        os.kill(os.getpid(), number)
        assert stopping.wait(60)
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before
    assert "stop-signals" not in {thread.name for thread in threading.enumerate()}


def test_a_signal_may_interrupt_a_wait_that_holds_the_lock_of_the_event() -> None:
    with stop_event() as stopping:
        with cast("Any", stopping)._cond:
            signal.raise_signal(signal.SIGTERM)
        assert stopping.wait(60)
