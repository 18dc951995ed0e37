"""LogLoop: tasks wait without a thread, for a stream, a time, or to be woken."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from sparktest.controller.logs.loop import LogLoop, Pause, Steps
from sparktest.kube.streams import ByteStream
from tests.e2e.program import until

LONG = 1000.0


class Pipe:
    """A stream that becomes readable with `write`."""

    def __init__(self) -> None:
        self._ends = os.pipe()

    def fileno(self) -> int:
        return self._ends[0]

    def write(self) -> None:
        os.write(self._ends[1], b"x")

    def read(self) -> None:
        os.read(self._ends[0], 1)

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, seconds=60, every=0.005)


@pytest.fixture
def loop() -> Iterator[LogLoop]:
    made = LogLoop(2)
    yield made
    made.stop()
    soon("its threads have ended", lambda: not made.is_alive)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def waiting(seconds: float, *, closed: list[str] | None = None) -> Steps:
    """Wait once; return what the task is then."""
    try:
        yield Pause(seconds)
    except GeneratorExit:
        if closed is not None:
            closed.append("closed")
        raise
    return "waited"


def test_a_task_ends_with_the_value_that_it_returns(loop: LogLoop) -> None:
    ended: list[str] = []
    for _ in range(20):
        loop.start(waiting(0.001), ended.append)
    soon("all have ended", lambda: ended == ["waited"] * 20)


def test_more_tasks_than_threads_wait_at_once(loop: LogLoop, pipe: Pipe) -> None:
    ended: list[str] = []
    for _ in range(50):
        loop.start(waiting(LONG), ended.append)
    loop.start(waiting(0), ended.append)
    soon("one has ended", lambda: ended == ["waited"])


def test_a_task_goes_on_when_its_stream_has_data(loop: LogLoop, pipe: Pipe) -> None:
    seen: list[str] = []

    def steps() -> Steps:
        for _ in range(3):
            yield Pause(LONG, cast("ByteStream", pipe))
            pipe.read()
            seen.append("data")

    loop.start(steps(), seen.append)
    for count in range(1, 4):
        pipe.write()
        soon("it was read", partial(_has, seen, count))
    soon("it has ended", lambda: seen[-1] is None)


def _has(seen: list[str], count: int) -> bool:
    return seen.count("data") == count


def test_a_task_whose_stream_is_closed_goes_on(loop: LogLoop) -> None:
    class Closed:
        def fileno(self) -> int:
            return -1

    ended: list[str] = []

    def steps() -> Steps:
        yield Pause(LONG, cast("ByteStream", Closed()))
        return "went on"

    loop.start(steps(), ended.append)
    soon("it has ended", lambda: ended == ["went on"])


def test_a_task_that_is_woken_does_not_wait_longer(loop: LogLoop, pipe: Pipe) -> None:
    ended: list[str] = []
    task = loop.start(waiting(LONG), ended.append)
    soon("it waits", lambda: task.waiting is not None)
    loop.wake(task)
    soon("it has ended", lambda: ended)


def test_a_task_that_is_woken_while_it_works_does_not_begin_to_wait(loop: LogLoop) -> None:
    ended: list[str] = []
    begun, gate = threading.Event(), threading.Event()

    def steps() -> Steps:
        begun.set()
        gate.wait(60)
        yield Pause(LONG)
        return "waited"

    task = loop.start(steps(), ended.append)
    assert begun.wait(60)
    loop.wake(task)
    gate.set()
    soon("it has ended", lambda: ended == ["waited"])
    loop.wake(task)


def test_a_task_that_never_waits_lets_others_work(loop: LogLoop) -> None:
    done = threading.Event()
    ended: list[str] = []

    def busy() -> Steps:
        while not done.is_set():
            yield Pause(0)

    for _ in range(4):
        loop.start(busy(), lambda _: None)
    loop.start(waiting(0.001), ended.append)
    soon("the other has ended", lambda: ended)
    done.set()


def test_an_exception_ends_only_its_own_task(loop: LogLoop) -> None:
    ended: list[str] = []

    def steps() -> Steps:
        yield Pause(0)
        raise ValueError("a bug")

    for _ in range(3):
        loop.start(steps(), ended.append)
    loop.start(waiting(0.001), ended.append)
    soon("the other has ended", lambda: ended == ["waited"])


def test_a_stop_closes_the_tasks_that_wait(loop: LogLoop) -> None:
    closed: list[str] = []
    ended: list[None] = []
    tasks = [loop.start(waiting(LONG, closed=closed), ended.append) for _ in range(3)]
    soon("all wait", lambda: all(task.waiting is not None for task in tasks))
    loop.stop()
    soon("all have ended", lambda: ended == [None] * 3)
    assert closed == ["closed"] * 3


def test_a_loop_that_never_had_a_task_can_be_stopped() -> None:
    LogLoop(1).stop()
