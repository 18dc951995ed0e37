"""The control loop: order, delays, retries."""

import queue

import pytest

from sparktest.devcluster import control_loop
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.control_loop import ControlLoop, Key

A: Key = ("kind", "ns", "a")
B: Key = ("kind", "ns", "b")


def test_a_key_added_twice_before_it_is_handled_is_handled_once() -> None:
    handled: queue.SimpleQueue[Key] = queue.SimpleQueue()
    loop = ControlLoop("test", handled.put, Clock())
    for key in (A, A, B):
        loop.add(key)
    loop.start()
    assert [handled.get(timeout=60), handled.get(timeout=60)] == [A, B]
    loop.stop()
    assert handled.empty()


def test_the_earlier_of_two_delays_counts() -> None:
    handled: queue.SimpleQueue[Key] = queue.SimpleQueue()
    loop = ControlLoop("test", handled.put, Clock())
    loop.add_after(A, 3600)
    loop.add_after(A, 0.01)
    loop.start()
    assert handled.get(timeout=60) == A
    loop.stop()


def test_a_key_is_handled_again_after_the_returned_seconds() -> None:
    handled: queue.SimpleQueue[Key] = queue.SimpleQueue()
    delays = iter([0.01, None])

    def handle(key: Key) -> float | None:
        handled.put(key)
        return next(delays)

    loop = ControlLoop("test", handle, Clock())
    loop.add(A)
    loop.start()
    assert [handled.get(timeout=60), handled.get(timeout=60)] == [A, A]
    loop.stop()


def test_a_key_whose_handler_fails_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_loop, "RETRY_SECONDS", 0.01)
    handled: queue.SimpleQueue[Key] = queue.SimpleQueue()
    errors = iter([RuntimeError("a bug")])

    def handle(key: Key) -> None:
        handled.put(key)
        for error in errors:
            raise error

    loop = ControlLoop("test", handle, Clock())
    loop.add(A)
    loop.start()
    assert [handled.get(timeout=60), handled.get(timeout=60)] == [A, A]
    loop.stop()


def test_a_delay_of_thousands_of_years_does_not_stop_the_loop() -> None:
    handled: queue.SimpleQueue[Key] = queue.SimpleQueue()
    loop = ControlLoop("test", handled.put, Clock())
    loop.add_after(A, 1e12)
    loop.start()
    loop.add(B)
    assert handled.get(timeout=60) == B
    loop.stop()
