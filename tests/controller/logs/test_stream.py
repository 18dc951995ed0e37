"""A log is read from its first byte to its last, and never given up too early."""

from collections.abc import Callable
from threading import Semaphore
from typing import cast

import pytest

from sparktest.controller.logs.cursor import GAP
from sparktest.controller.logs.loop import Pause
from sparktest.controller.logs.stream import LogStream, Timings
from sparktest.errors import (
    ForbiddenError,
    MalformedError,
    NotFoundError,
    SparkTestError,
    UnauthorizedError,
)
from sparktest.kube.cluster import Cluster
from sparktest.kube.pod_view import LogSource, PodState
from tests.controller.logs.fake_kubelet import Clock, FakeEvent, FakeKubelet, Part
from tests.controller.logs.streams import EAGER, UNREACHABLE, Pod, busy, line, read, text


def test_a_log_is_read_from_its_first_byte_to_its_last(stream_of: Callable[..., LogStream]) -> None:
    kubelet = FakeKubelet([line(1, "one"), line(2, "two"), b"2026-11-24T12:00:03.5Z no end"])
    stream = stream_of(kubelet)
    assert text(stream) == b"one\ntwo\nno end"
    assert stream.incomplete_reason is None
    assert (kubelet.requests, kubelet.open) == ([None], 0)


def test_a_broken_stream_is_resumed_at_the_cursor(stream_of: Callable[..., LogStream]) -> None:
    kubelet = FakeKubelet(
        [line(1), line(2), line(3)[:9], UNREACHABLE],
        UNREACHABLE,
        [line(2), line(3), UNREACHABLE],
        [line(3), line(4)],
    )
    stream = stream_of(kubelet)
    assert text(stream) == b"1\n2\n3\n4\n"
    assert stream.incomplete_reason is None
    second = "2026-11-24T12:00:0{}Z".format
    assert kubelet.requests == [None, second(2), second(2), second(3)]
    assert kubelet.open == 0


def test_a_stream_that_ends_before_the_container_is_opened_again(
    stream_of: Callable[..., LogStream],
) -> None:
    pod = Pod(PodState.RUNNING)
    kubelet = FakeKubelet([line(1)], [line(1), line(2), pod.end])
    stream = stream_of(kubelet, pod)
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None


def test_the_log_of_a_restarted_container_continues_that_of_its_last_attempt(
    stream_of: Callable[..., LogStream],
) -> None:
    pod = Pod(PodState.RUNNING)
    kubelet = FakeKubelet(
        [line(1), line(2)], [line(2)], [line(2), pod.restart], [line(4), line(5), pod.end]
    )
    stream = stream_of(kubelet, pod)
    assert text(stream) == b"1\n2\n4\n5\n"
    assert stream.incomplete_reason is None
    since = "2026-11-24T12:00:02Z"
    assert kubelet.requests == [None, since, since, None]


def test_the_log_of_a_restarted_container_may_go_on_in_the_same_file(
    stream_of: Callable[..., LogStream],
) -> None:
    pod = Pod(PodState.RUNNING)
    kubelet = FakeKubelet(
        [line(1), line(2), pod.restart], [line(1), line(2)], [line(2), line(4), pod.end]
    )
    stream = stream_of(kubelet, pod)
    assert text(stream) == b"1\n2\n4\n"
    assert stream.incomplete_reason is None


def test_what_was_not_read_of_the_last_attempt_is_marked(
    stream_of: Callable[..., LogStream],
) -> None:
    pod = Pod(PodState.RUNNING)
    kubelet = FakeKubelet([line(1), pod.restart, UNREACHABLE], [line(4), pod.end])
    stream = stream_of(kubelet, pod)
    assert text(stream) == b"1\n" + GAP + b"4\n"
    assert stream.incomplete_reason == "LogRotated"


def test_the_container_may_count_as_running_shortly_after_the_end_of_its_log(
    stream_of: Callable[..., LogStream], stopping: FakeEvent
) -> None:
    states = [PodState.RUNNING] * 5 + [PodState.ENDED]
    kubelet = FakeKubelet([line(1)])
    stream = LogStream(
        cast("Cluster", kubelet),
        "tests",
        "p",
        "c",
        source=lambda: LogSource(states.pop(0)),
        stopping=stopping,
        retries=Semaphore(),
    )
    assert text(stream) == b"1\n"
    assert sum(stopping.waits) < Timings().end_seconds


def test_a_container_that_has_not_started_is_tried_again(
    stream_of: Callable[..., LogStream],
) -> None:
    pod = Pod(PodState.RUNNING)
    waiting = MalformedError("waiting to start")
    stream = stream_of(FakeKubelet(waiting, waiting, [line(1), pod.end]), pod)
    assert text(stream) == b"1\n"
    assert stream.incomplete_reason is None


@pytest.mark.parametrize(
    ("error", "state", "reason", "seconds"),
    [
        (MalformedError("waiting to start"), PodState.ENDED, "NoLog", 5),
        (NotFoundError("no such pod"), PodState.ENDED, "PodDeleted", 300),
        (UnauthorizedError("who?"), PodState.ENDED, "Unauthorized", 300),
        (ForbiddenError("no right to read pods/log"), PodState.ENDED, "Forbidden", 300),
        (NotFoundError("no such pod"), PodState.GONE, "PodDeleted", 0),
        (UNREACHABLE, PodState.GONE, "PodDeleted", 0),
    ],
)
def test_a_log_that_cannot_be_read_further_ends_with_a_reason(
    stream_of: Callable[..., LogStream],
    clock: Clock,
    error: SparkTestError,
    state: PodState,
    reason: str,
    seconds: float,
) -> None:
    pod = Pod(PodState.RUNNING)
    began = clock.now

    def change_state() -> None:
        pod.state = state

    stream = stream_of(FakeKubelet([line(1), change_state, error], *[error] * 100), pod)
    assert text(stream) == b"1\n"
    assert stream.incomplete_reason == reason
    assert seconds <= clock.now - began <= seconds + 20


@pytest.mark.parametrize(
    "error", [UnauthorizedError("401"), ForbiddenError("403"), NotFoundError("404")]
)
@pytest.mark.parametrize("state", [PodState.RUNNING, PodState.ENDED])
def test_a_refusal_of_the_cluster_for_a_minute_loses_nothing(
    stream_of: Callable[..., LogStream], clock: Clock, error: SparkTestError, state: PodState
) -> None:
    pod, began = Pod(state), clock.now
    kubelet = FakeKubelet(error, [line(1), error], *[error] * 10, [line(1), line(2), pod.end])
    stream = stream_of(kubelet, pod)
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None
    assert clock.now - began > 60


@pytest.mark.parametrize("parts", [[], [line(1), UNREACHABLE]], ids=["first", "resumed"])
def test_the_kubelets_message_that_it_has_no_log_is_not_part_of_the_log(
    stream_of: Callable[..., LogStream], parts: list[Part]
) -> None:
    message = b"unable to retrieve container logs for containerd://0a1b2c"
    no_log: list[list[Part]] = [[message] for _ in range(50)]
    kubelet = FakeKubelet(*([parts] if parts else []), *no_log)
    stream = stream_of(kubelet)
    assert text(stream) == (b"1\n" + GAP if parts else b"")
    assert stream.incomplete_reason == "NoLog"
    assert kubelet.open == 0


def test_a_test_may_print_the_kubelets_message(stream_of: Callable[..., LogStream]) -> None:
    stream = stream_of(FakeKubelet([line(1, "unable to retrieve container logs for me")]))
    assert text(stream) == b"unable to retrieve container logs for me\n"
    assert stream.incomplete_reason is None


def test_an_unreachable_kubelet_is_given_up_after_300_seconds_once_the_pod_has_ended(
    stream_of: Callable[..., LogStream], stopping: FakeEvent, clock: Clock
) -> None:
    began = clock.now
    stream = stream_of(FakeKubelet([line(1), UNREACHABLE], *[UNREACHABLE] * 100))
    assert text(stream) == b"1\n"
    assert stream.incomplete_reason == "KubeletUnreachable"
    assert 300 <= clock.now - began < 320
    delays = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    for wait, delay in zip(stopping.waits, delays, strict=False):
        assert delay / 2 <= wait <= delay


def test_every_byte_resets_the_time_that_a_kubelet_may_be_unreachable(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    began = clock.now
    bad_minutes: list[Part] = [line(1), clock.advance(200), UNREACHABLE]
    stream = stream_of(FakeKubelet(*[[*bad_minutes] for _ in range(3)], [line(1), line(2)]))
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None
    assert clock.now - began > 600


def test_a_silent_kubelet_is_never_given_up_while_the_test_runs(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    began = clock.now
    pod = Pod(PodState.RUNNING)
    kubelet = FakeKubelet([line(1), UNREACHABLE], *[UNREACHABLE] * 100, [line(1), line(2), pod.end])
    stream = stream_of(kubelet, pod)
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None
    assert clock.now - began > 1000


def test_a_log_that_failed_before_waits_for_its_turn_to_be_opened_again(
    stopping: FakeEvent,
) -> None:
    kubelet, retries = FakeKubelet(UNREACHABLE, [line(1)]), Semaphore(1)
    stream = LogStream(
        cast("Cluster", kubelet),
        "tests",
        "p",
        "c",
        source=lambda: LogSource(PodState.ENDED),
        stopping=stopping,
        retries=retries,
    )
    retries.acquire()
    parts = stream.chunks()
    assert all(isinstance(next(parts), Pause) for _ in range(5))
    assert kubelet.requests == [None]
    retries.release()
    assert b"".join(part for part in parts if isinstance(part, bytes)) == b"1\n"
    assert retries.acquire(blocking=False)


def test_a_stop_ends_the_reading_and_closes_all_streams(
    stream_of: Callable[..., LogStream], stopping: FakeEvent, clock: Clock
) -> None:
    kubelet = FakeKubelet(
        [*busy(clock, line(1), line(2)), UNREACHABLE],
        [line(3), stopping.set, UNREACHABLE],
        [line(4)],
    )
    assert text(stream_of(kubelet, timings=EAGER)) == b"1\n2\n" + GAP + b"3\n"
    assert kubelet.open == 0


def test_reading_that_stops_early_leaves_no_stream_open(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(busy(clock, line(1), line(2), line(3)), [line(4)], [line(5)])
    chunks = read(stream_of(kubelet, timings=EAGER))
    assert b"3\n" in chunks
    assert kubelet.open == 3
    chunks.close()  # type: ignore[attr-defined]
    assert kubelet.open == 0
