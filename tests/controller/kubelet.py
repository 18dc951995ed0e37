"""A scripted kubelet at the cluster's door, and time that passes only when it is waited for."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, Self

from sparktest.errors import NotFoundError

# A chunk, an error, or something that happens before the next chunk.
Part = bytes | Exception | Callable[[], None]


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def passes(self, seconds: float) -> Callable[[], None]:
        """So much time goes by, when this is called."""

        def go_by() -> None:
            self.now += seconds

        return go_by


class Patience(Event):
    """A stop that is waited for in no time; `waits` is how long each was meant to be.

    After `limit` waits it is set, so that no test goes on for ever.
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


class Kubelet:
    """Answers each request for a log with the next script, after the last with 404.

    Attributes:
        asked: the `since_time` of each request.
        open: how many streams have not been closed.
    """

    def __init__(self, *scripts: list[Part] | Exception) -> None:
        self.scripts = list(scripts)
        self.asked: list[str | None] = []
        self.open = 0

    def pod_log(
        self, namespace: str, pod: str, container: str, *, since_time: str | None, **_: Any
    ) -> "Stream":
        self.asked.append(since_time)
        script = self.scripts.pop(0) if self.scripts else NotFoundError("no such pod")
        if isinstance(script, Exception):
            raise script
        self.open += 1
        return Stream(self, script)


class Stream:
    """One open log."""

    def __init__(self, kubelet: Kubelet, script: list[Part]) -> None:
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
