"""The whole log of a container, whatever the kubelet does with its files and streams."""

from collections.abc import Callable
from typing import cast

import pytest

from sparktest.controller import tail as module
from sparktest.controller.place import GAP
from sparktest.controller.tail import Pace, PodState, Tail
from sparktest.errors import MalformedError, NotFoundError, SparkTestError, UnavailableError
from sparktest.kube.cluster import Cluster
from tests.controller.kubelet import Clock, Kubelet, Part, Patience

SILENT = UnavailableError("silent")
# So little counts as much that one line is enough to look for another file.
EAGER = Pace(look_bytes=20)


class Pod:
    """What is known of the pod."""

    def __init__(self, state: PodState = PodState.ENDED) -> None:
        self.state = state

    def ends(self) -> None:
        self.state = PodState.ENDED

    def goes(self) -> None:
        self.state = PodState.GONE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def stopping(clock: Clock) -> Patience:
    return Patience(clock)


@pytest.fixture
def tail_of(stopping: Patience) -> Callable[..., Tail]:
    """Makes a reader of what this kubelet has of a pod that has ended, unless it is told."""

    def make(kubelet: Kubelet, pod: Pod | None = None, pace: Pace | None = None) -> Tail:
        known = pod or Pod()
        return Tail(
            cast("Cluster", kubelet),
            "tests",
            "p",
            state=lambda: known.state,
            stopping=stopping,
            pace=pace,
        )

    return make


def line(second: int, text: str = "") -> bytes:
    return f"2026-11-24T12:00:{second:02d}.5Z {text or second}\n".encode()


def text(tail: Tail) -> bytes:
    return b"".join(tail.chunks())


def test_a_log_is_read_from_its_first_byte_to_its_last(tail_of: Callable[..., Tail]) -> None:
    kubelet = Kubelet([line(1, "one"), line(2, "two"), b"2026-11-24T12:00:03.5Z no end"])
    tail = tail_of(kubelet)
    assert text(tail) == b"one\ntwo\nno end"
    assert tail.reason is None
    assert (kubelet.asked, kubelet.open) == ([None], 0)


def test_a_stream_that_breaks_is_resumed_where_it_was(tail_of: Callable[..., Tail]) -> None:
    kubelet = Kubelet(
        [line(1), line(2), line(3)[:9], SILENT],
        SILENT,
        [line(2), line(3), SILENT],
        [line(3), line(4)],
    )
    tail = tail_of(kubelet)
    assert text(tail) == b"1\n2\n3\n4\n"
    assert tail.reason is None
    second = "2026-11-24T12:00:0{}Z".format
    assert kubelet.asked == [None, second(2), second(2), second(3)]
    assert kubelet.open == 0


def test_a_stream_that_ends_before_the_container_is_opened_again(
    tail_of: Callable[..., Tail],
) -> None:
    pod = Pod(PodState.RUNNING)
    kubelet = Kubelet([line(1)], [line(1), line(2), pod.ends])
    tail = tail_of(kubelet, pod)
    assert text(tail) == b"1\n2\n"
    assert tail.reason is None


def test_the_end_of_the_container_may_be_known_a_little_after_that_of_its_log(
    tail_of: Callable[..., Tail], stopping: Patience
) -> None:
    states = [PodState.RUNNING] * 3 + [PodState.ENDED]
    kubelet = Kubelet([line(1)])
    tail = Tail(
        cast("Cluster", kubelet), "tests", "p", state=lambda: states.pop(0), stopping=stopping
    )
    assert text(tail) == b"1\n"
    assert sum(stopping.waits) < Pace().notice


# --- rotation ------------------------------------------------------------------------------------


def busy(clock: Clock, *parts: Part) -> list[Part]:
    """The parts, with time for a look ahead before each."""
    return [made for part in parts for made in (clock.passes(5), part)]


def test_a_file_that_comes_while_another_is_read_is_read_next(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    kubelet = Kubelet(busy(clock, line(1), line(2)), [line(3), line(4)], [line(3)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n3\n4\n"
    assert tail.reason is None
    assert kubelet.open == 0


def test_several_files_may_be_ahead(tail_of: Callable[..., Tail], clock: Clock) -> None:
    kubelet = Kubelet(
        busy(clock, line(1), line(2), line(3)), [line(4)], [line(5)], [line(6)], [line(6)]
    )
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n3\n4\n5\n6\n"
    assert tail.reason is None
    assert kubelet.open == 0


def test_no_more_files_are_kept_open_than_allowed(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    kubelet = Kubelet(busy(clock, line(1), line(2), line(3)), [line(4)], [line(4)])
    assert text(tail_of(kubelet, pace=Pace(look_bytes=20, files=1))) == b"1\n2\n3\n4\n"
    assert len(kubelet.asked) == 3


def test_the_file_that_is_being_read_is_no_other(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    kubelet = Kubelet(busy(clock, line(1), line(2)), [line(1)], [line(1)], [line(1)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n"
    assert tail.reason is None
    assert kubelet.open == 0


def test_where_little_comes_nobody_looks_for_another_file(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    kubelet = Kubelet(busy(clock, line(1), line(2), line(3)))
    text(tail_of(kubelet))
    assert kubelet.asked == [None]


def test_a_look_ahead_that_fails_breaks_nothing(tail_of: Callable[..., Tail], clock: Clock) -> None:
    kubelet = Kubelet(busy(clock, line(1), line(2)), SILENT, [SILENT], [line(1)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n"
    assert tail.reason is None
    assert kubelet.open == 0


def test_the_beginning_of_the_next_file_may_come_in_pieces(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    next_file: list[Part] = [line(3)[:4], line(3)[4:12], line(3)[12:], line(4)]
    kubelet = Kubelet([line(1)[:7], line(1)[7:], *busy(clock, line(2))], next_file, [line(3)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n3\n4\n"
    assert tail.reason is None


def test_a_file_that_came_right_before_the_end_is_read_too(tail_of: Callable[..., Tail]) -> None:
    kubelet = Kubelet([line(1), line(2)], [line(3)], [line(3)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n3\n"
    assert tail.reason is None
    assert kubelet.open == 0


def test_a_pod_that_is_gone_at_the_end_has_no_other_file(tail_of: Callable[..., Tail]) -> None:
    tail = tail_of(Kubelet([line(1), line(2)], NotFoundError("no such pod")), pace=EAGER)
    assert text(tail) == b"1\n2\n"
    assert tail.reason is None


def test_a_kubelet_that_is_silent_at_the_end_is_asked_for_another_file_again(
    tail_of: Callable[..., Tail],
) -> None:
    kubelet = Kubelet([line(1), line(2)], SILENT, [line(2)], [line(3)], [line(3)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n3\n"
    assert tail.reason is None


def test_a_break_in_a_file_that_is_no_longer_the_newest_leaves_a_gap(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    kubelet = Kubelet([*busy(clock, line(1), line(2)), SILENT], [line(5)], [line(5)])
    tail = tail_of(kubelet, pace=EAGER)
    assert text(tail) == b"1\n2\n" + GAP + b"5\n"
    assert tail.reason == "LogRotated"


def test_a_place_that_was_rotated_away_during_a_break_leaves_a_gap(
    tail_of: Callable[..., Tail],
) -> None:
    tail = tail_of(Kubelet([line(1), SILENT], [line(5), line(6)]))
    assert text(tail) == b"1\n" + GAP + b"5\n6\n"
    assert tail.reason == "LogRotated"


# --- where there is no log, or no more of it -----------------------------------------------------


def test_a_container_that_has_not_started_is_asked_again(tail_of: Callable[..., Tail]) -> None:
    pod = Pod(PodState.RUNNING)
    waiting = MalformedError("waiting to start")
    tail = tail_of(Kubelet(waiting, waiting, [line(1), pod.ends]), pod)
    assert text(tail) == b"1\n"
    assert tail.reason is None


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (MalformedError("waiting to start"), PodState.ENDED, "NoLog"),
        (NotFoundError("no such pod"), PodState.RUNNING, "PodDeleted"),
        (SILENT, PodState.GONE, "PodDeleted"),
    ],
)
def test_where_no_more_can_be_had_it_ends_and_says_why(
    tail_of: Callable[..., Tail], error: SparkTestError, state: PodState, reason: str
) -> None:
    pod = Pod(PodState.RUNNING)

    def comes_to_it() -> None:
        pod.state = state

    tail = tail_of(Kubelet([line(1), comes_to_it, SILENT], error), pod)
    assert text(tail) == b"1\n"
    assert tail.reason == reason


def test_a_silent_kubelet_is_given_up_after_its_patience_once_the_pod_has_ended(
    tail_of: Callable[..., Tail], stopping: Patience, clock: Clock
) -> None:
    began = clock.now
    tail = tail_of(Kubelet([line(1), SILENT], *[SILENT] * 100))
    assert text(tail) == b"1\n"
    assert tail.reason == "KubeletUnreachable"
    assert 300 <= clock.now - began < 320
    assert stopping.waits[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_the_patience_begins_anew_with_every_byte(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    began = clock.now
    bad_minutes: list[Part] = [line(1), clock.passes(200), SILENT]
    tail = tail_of(Kubelet(*[[*bad_minutes] for _ in range(3)], [line(1), line(2)]))
    assert text(tail) == b"1\n2\n"
    assert tail.reason is None
    assert clock.now - began > 600


def test_while_the_test_runs_silence_is_no_reason_to_give_up(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    began = clock.now
    pod = Pod(PodState.RUNNING)
    kubelet = Kubelet([line(1), SILENT], *[SILENT] * 100, [line(1), line(2), pod.ends])
    tail = tail_of(kubelet, pod)
    assert text(tail) == b"1\n2\n"
    assert tail.reason is None
    assert clock.now - began > 1000


def test_a_stop_ends_the_reading_and_closes_what_is_open(
    tail_of: Callable[..., Tail], stopping: Patience, clock: Clock
) -> None:
    kubelet = Kubelet(
        [*busy(clock, line(1), line(2)), SILENT], [line(3), stopping.set, SILENT], [line(4)]
    )
    chunks = tail_of(kubelet, pace=EAGER).chunks()
    assert b"".join(chunks) == b"1\n2\n" + GAP + b"3\n"
    assert kubelet.open == 0


def test_who_stops_listening_leaves_no_stream_open(
    tail_of: Callable[..., Tail], clock: Clock
) -> None:
    kubelet = Kubelet(busy(clock, line(1), line(2), line(3)), [line(4)], [line(5)])
    chunks = tail_of(kubelet, pace=EAGER).chunks()
    while next(chunks) != b"3\n":
        pass
    assert kubelet.open == 3
    chunks.close()  # type: ignore[attr-defined]
    assert kubelet.open == 0
