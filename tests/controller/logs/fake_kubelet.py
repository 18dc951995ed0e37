"""A scripted fake of the kubelet's log endpoint, and a clock that advances only by waits."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, Self

from sparktest.errors import NotFoundError

# A chunk, an error to raise, or a function to call before the next chunk.
Part = bytes | Exception | Callable[[], None]


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

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        for part in self._parts:
            if isinstance(part, bytes):
                return part
            if isinstance(part, Exception):
                raise part
            part()
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kubelet.open -= 1

    def close(self) -> None:
        """End the stream."""
        self._parts = iter(())
