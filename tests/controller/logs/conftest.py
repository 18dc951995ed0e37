"""Fixtures for streams of logs: a clock that only tests advance, and streams that use it."""

from collections.abc import Callable
from threading import Semaphore
from typing import cast

import pytest

from sparktest.controller.logs import batch
from sparktest.controller.logs import stream as module
from sparktest.controller.logs.stream import LogStream, Timings
from sparktest.kube.cluster import Cluster
from sparktest.kube.pod_view import LogSource
from tests.controller.logs.fake_kubelet import Clock, FakeEvent, FakeKubelet
from tests.controller.logs.streams import Pod


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store what has been read soon."""
    monkeypatch.setattr(batch, "MAX_SECONDS", 0.01)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def stopping(clock: Clock) -> FakeEvent:
    return FakeEvent(clock)


@pytest.fixture
def stream_of(stopping: FakeEvent) -> Callable[..., LogStream]:
    """Make a stream of the kubelet's log; the pod has ended unless `pod` is given."""

    def make(
        kubelet: FakeKubelet, pod: Pod | None = None, timings: Timings | None = None
    ) -> LogStream:
        pod_or_ended = pod or Pod()
        return LogStream(
            cast("Cluster", kubelet),
            "tests",
            "p",
            "c",
            source=lambda: LogSource(pod_or_ended.state, pod_or_ended.restarts),
            stopping=stopping,
            retries=Semaphore(1),
            timings=timings,
        )

    return make
