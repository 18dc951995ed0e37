"""The wait of a log stream ends when its client disconnects."""

import threading
import time
from collections.abc import Callable

from sparktest.api.streams import wait_or_disconnect


def test_the_wait_lasts_while_the_client_is_connected():
    assert wait_or_disconnect(lambda callback: None)(0.01) is False


def test_the_wait_ends_when_the_client_disconnects():
    callbacks: list[Callable[[], None]] = []
    wait = wait_or_disconnect(callbacks.append)
    threading.Timer(0.05, lambda: callbacks[0]()).start()
    started = time.monotonic()
    assert wait(10) is True
    assert time.monotonic() - started < 5


def test_there_is_no_wait_when_the_client_has_disconnected_before():
    assert wait_or_disconnect(lambda callback: callback())(10) is True


def test_without_a_server_the_wait_is_a_sleep():
    assert wait_or_disconnect(None)(0.01) is False
