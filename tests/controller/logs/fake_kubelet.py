"""A scripted fake of the kubelet's log endpoint, and a clock that advances only by waits."""

import os
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, Self

from sparktest.errors import NotFoundError


class Gate(Event):
    """A part of a log that has not arrived before the gate is set; to be closed."""

    def __init__(self) -> None:
        super().__init__()
        self._pipe = os.pipe()

    def set(self) -> None:
        super().set()
        os.write(self._pipe[1], b"x")

    def fileno(self) -> int:
        return self._pipe[0]

    def close(self) -> None:
        for end in self._pipe:
            os.close(end)


# A chunk, an error to raise, a gate to wait for, or a function to call before the next chunk.
Part = bytes | Exception | Gate | Callable[[], None]


class Clock:
    """A replacement for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> Callable[[], None]:
        """Return a part that advances the clock."""

        def part() -> None:
            self.now += seconds

        return part


class FakeEvent(Event):
    """An event whose waits advance the clock and return at once; `waits` are their seconds.

    It is set after `limit` waits, so that no test hangs.
    """

    def __init__(self, clock: Clock, limit: int = 1000) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._clock = clock
        self._limit = limit

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._clock.now += timeout or 0.0
        if len(self.waits) >= self._limit:
            self.set()
        return self.is_set()


class FakeKubelet:
    """Answers each request for a log with the next script, and with 404 after the last one.

    Attributes:
        requests: the `since_time` of each request.
        open: the number of streams that have not been closed.
    """

    def __init__(self, *scripts: list[Part] | Exception) -> None:
        self.scripts = list(scripts)
        self.requests: list[str | None] = []
        self.open = 0

    def pod_log(
        self, namespace: str, pod: str, container: str, *, since_time: str | None, **_: Any
    ) -> "FakeStream":
        self.requests.append(since_time)
        script = self.scripts.pop(0) if self.scripts else NotFoundError("no such pod")
        if isinstance(script, Exception):
            raise script
        self.open += 1
        return FakeStream(self, script)


class FakeStream:
    """One open log stream."""

    def __init__(self, kubelet: FakeKubelet, script: list[Part]) -> None:
        self._kubelet = kubelet
        self._parts: Iterator[Part] = iter(script)
        self._gate: Gate | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        while not (chunk := self.poll()):
            if chunk is None:
                raise StopIteration
            time.sleep(0.01)
        return chunk

    def poll(self) -> bytes | None:
        if self._gate is not None and not self._gate.is_set():
            return b""
        for part in self._parts:
            if isinstance(part, bytes):
                return part
            if isinstance(part, Exception):
                raise part
            if isinstance(part, Gate):
                self._gate = part
                return self.poll()
            part()
        return None

    def fileno(self) -> int:
        assert self._gate is not None
        return self._gate.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kubelet.open -= 1

    def close(self) -> None:
        """End the stream."""
        self._parts = iter(())
