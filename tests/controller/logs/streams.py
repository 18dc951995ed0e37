"""Streams of a fake kubelet's log, for tests."""

import contextlib
from collections.abc import Iterator

from sparktest.controller.logs.loop import Pause
from sparktest.controller.logs.stream import LogStream, Timings
from sparktest.errors import UnavailableError
from sparktest.kube.pod_view import PodState
from tests.controller.logs.fake_kubelet import Clock, Part

UNREACHABLE = UnavailableError("unreachable")
# One line is enough to check for a rotated file.
EAGER = Timings(rotation_bytes=20)


class Pod:
    """The state of the pod as the controller knows it."""

    def __init__(self, state: PodState = PodState.ENDED) -> None:
        self.state = state
        self.restarts = 0

    def end(self) -> None:
        self.state = PodState.ENDED

    def restart(self) -> None:
        self.restarts += 1


def line(second: int, text: str = "") -> bytes:
    return f"2026-11-24T12:00:{second:02d}.5Z {text or second}\n".encode()


def read(stream: LogStream) -> Iterator[bytes]:
    """Yield the chunks, as the collector reads them."""
    with contextlib.closing(stream.chunks()) as parts:
        for part in parts:
            if isinstance(part, Pause):
                stream._stopping.wait(part.seconds)
            else:
                stream.open_rotated()
                yield part


def text(stream: LogStream) -> bytes:
    return b"".join(read(stream))


def busy(clock: Clock, *parts: Part) -> list[Part]:
    """Return the parts, with time for a rotation check before each one."""
    return [made for part in parts for made in (clock.advance(5), part)]
