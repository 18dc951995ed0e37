"""LogLoop: many logs in a few threads; one more thread waits for their streams and times."""

import heapq
import itertools
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Any

import msgspec

from sparktest.kube.streams import ByteStream

log = logging.getLogger(__name__)


class Pause(msgspec.Struct, frozen=True):
    """What a task waits for: data of the stream, if there is one, and no longer than `seconds`."""

    seconds: float
    stream: ByteStream | None = None


Steps = Generator[Pause, None, Any]


class Task(msgspec.Struct, eq=False):
    """A generator that yields what it waits for.

    Attributes:
        on_end: called with what the generator returned, None if the loop was stopped before.
        woken: it shall not wait, or not longer.
        waiting: the number of its current wait, None while it does not wait.
        fileno: the descriptor that it waits for, None without one.
    """

    steps: Steps
    on_end: Callable[[Any], None]
    woken: bool = False
    waiting: int | None = None
    fileno: int | None = None


class LogLoop:
    """Executes tasks between their waits in `threads` threads; any thread may call its methods."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._ready: SimpleQueue[Task | None] = SimpleQueue()
        self._pausing: list[tuple[Task, Pause]] = []
        self._woken: list[Task] = []
        self._stopped = False
        # Only the thread that waits uses these.
        self._numbers = itertools.count()
        self._waiting: dict[int, Task] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._selector = selectors.DefaultSelector()
        self._notified = False
        self._pipe = os.pipe()
        self._selector.register(self._pipe[0], selectors.EVENT_READ)
        self._threads = [
            threading.Thread(target=self._work, name=f"log-{number}", daemon=True)
            for number in range(threads)
        ]
        self._threads.append(threading.Thread(target=self._wait, name="log-loop", daemon=True))
        self._started = False

    @property
    def is_alive(self) -> bool:
        """True while one of the threads works or waits."""
        return any(thread.is_alive() for thread in self._threads)

    def start(self, steps: Steps, on_end: Callable[[Any], None]) -> Task:
        """Begin with a task."""
        with self._lock:
            if not self._started:
                self._started = True
                for thread in self._threads:
                    thread.start()
        task = Task(steps, on_end)
        self._ready.put(task)
        return task

    def wake(self, task: Task) -> None:
        """End the current wait of a task, or its next one."""
        with self._lock:
            task.woken = True
            self._woken.append(task)
            self._notify()

    def stop(self) -> None:
        """Close all tasks and end the threads, each after its current step."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            self._notify()
        if not self._started:
            self._close()

    def _notify(self) -> None:
        if not self._notified:
            self._notified = True
            os.write(self._pipe[1], b"x")

    # --- in the threads that execute -------------------------------------------------------------

    def _work(self) -> None:
        while (task := self._ready.get()) is not None:
            try:
                self._step(task)
            except Exception:
                log.exception("log task failed")

    def _step(self, task: Task) -> None:
        try:
            pause = None if self._stopped else next(task.steps)
        except StopIteration as end:
            task.on_end(end.value)
            return
        if pause is None or not self._pause(task, pause):
            task.steps.close()
            task.on_end(None)

    def _pause(self, task: Task, pause: Pause) -> bool:
        """Let the task wait; return False once the loop was stopped."""
        with self._lock:
            if self._stopped:
                return False
            if pause.seconds > 0 and not task.woken:
                self._pausing.append((task, pause))
                self._notify()
                return True
            task.woken = False
        # Behind the others that are ready.
        self._ready.put(task)
        return True

    # --- in the thread that waits ----------------------------------------------------------------

    def _wait(self) -> None:
        while not self._stopped:
            seconds = self._deadlines[0][0] - time.monotonic() if self._deadlines else None
            for key, _ in self._selector.select(seconds):
                if key.data is not None:
                    self._resume(key.data)
            self._receive()
            now = time.monotonic()
            while self._deadlines and self._deadlines[0][0] <= now:
                task = self._waiting.get(heapq.heappop(self._deadlines)[1])
                if task is not None:
                    self._resume(task)
        self._receive()
        for task in list(self._waiting.values()):
            self._resume(task)
        for _ in self._threads:
            self._ready.put(None)
        self._close()

    def _receive(self) -> None:
        """Take over the tasks that began to wait, and those that were woken."""
        with self._lock:
            if self._notified:
                self._notified = False
                os.read(self._pipe[0], 1)
            pausing, self._pausing = self._pausing, []
            woken, self._woken = self._woken, []
        for task, pause in pausing:
            self._begin_wait(task, pause)
        for task in woken:
            if task.waiting is not None:
                self._resume(task)

    def _begin_wait(self, task: Task, pause: Pause) -> None:
        number = next(self._numbers)
        task.waiting = number
        self._waiting[number] = task
        heapq.heappush(self._deadlines, (time.monotonic() + pause.seconds, number))
        if pause.stream is not None:
            fileno = pause.stream.fileno()
            try:
                self._selector.register(fileno, selectors.EVENT_READ, task)
            except (KeyError, OSError, ValueError):
                # A closed stream says so when it is read.
                self._resume(task)
            else:
                task.fileno = fileno

    def _resume(self, task: Task) -> None:
        if task.waiting is not None:
            del self._waiting[task.waiting]
        if task.fileno is not None:
            self._selector.unregister(task.fileno)
        task.waiting = task.fileno = None
        with self._lock:
            task.woken = False
        self._ready.put(task)

    def _close(self) -> None:
        self._selector.close()
        for end in self._pipe:
            os.close(end)
