"""A log whose files are rotated while it is read."""

from collections.abc import Callable

from sparktest.controller.logs.cursor import GAP
from sparktest.controller.logs.stream import LogStream, Timings
from sparktest.errors import NotFoundError
from tests.controller.logs.fake_kubelet import Clock, FakeKubelet, Part
from tests.controller.logs.streams import EAGER, UNREACHABLE, busy, line, text


def test_a_file_that_appears_while_another_is_read_is_read_next(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(busy(clock, line(1), line(2)), [line(3), line(4)], [line(3)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n3\n4\n"
    assert stream.incomplete_reason is None
    assert kubelet.open == 0


def test_several_rotated_files_may_be_open(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(
        busy(clock, line(1), line(2), line(3)), [line(4)], [line(5)], [line(6)], [line(6)]
    )
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n3\n4\n5\n6\n"
    assert stream.incomplete_reason is None
    assert kubelet.open == 0


def test_no_more_than_max_rotated_files_are_kept_open(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(busy(clock, line(1), line(2), line(3)), [line(4)], [line(4)])
    assert (
        text(stream_of(kubelet, timings=Timings(rotation_bytes=20, max_rotated=1)))
        == b"1\n2\n3\n4\n"
    )
    assert len(kubelet.requests) == 3


def test_the_file_that_is_being_read_is_not_opened_twice(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(busy(clock, line(1), line(2)), [line(1)], [line(1)], [line(1)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None
    assert kubelet.open == 0


def test_no_rotation_check_while_little_data_comes(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(busy(clock, line(1), line(2), line(3)))
    text(stream_of(kubelet))
    assert kubelet.requests == [None]


def test_a_log_that_is_not_read_is_checked_too(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet([line(1), line(2)], [line(3)], [line(5)])
    stream = stream_of(kubelet)
    parts = stream.chunks()
    assert [next(parts), next(parts)] == [b"", b"1\n"]
    for _ in range(2):
        clock.now += 5
        stream.open_rotated(stalled=True)
    stream.open_rotated(stalled=True)
    assert kubelet.requests == [None] * 3
    assert b"".join(part for part in parts if isinstance(part, bytes)) == b"2\n3\n5\n"
    assert stream.incomplete_reason is None


def test_a_log_with_more_files_than_can_be_kept_open_is_incomplete(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet([line(1)], [line(3), line(9)])
    stream = stream_of(kubelet, timings=Timings(max_rotated=1))
    parts = stream.chunks()
    assert [next(parts), next(parts)] == [b"", b"1\n"]
    for _ in range(2):
        clock.now += 5
        stream.open_rotated(stalled=True)
    assert b"".join(part for part in parts if isinstance(part, bytes)) == b"3\n9\n"
    assert stream.incomplete_reason == "LogRotated"


def test_a_failed_rotation_check_does_no_harm(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet(busy(clock, line(1), line(2)), UNREACHABLE, [UNREACHABLE], [line(1)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None
    assert kubelet.open == 0


def test_the_beginning_of_the_next_file_may_come_in_pieces(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    next_file: list[Part] = [line(3)[:4], line(3)[4:12], line(3)[12:], line(4)]
    kubelet = FakeKubelet([line(1)[:7], line(1)[7:], *busy(clock, line(2))], next_file, [line(3)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n3\n4\n"
    assert stream.incomplete_reason is None


def test_a_file_that_appears_right_before_the_end_is_read(
    stream_of: Callable[..., LogStream],
) -> None:
    kubelet = FakeKubelet([line(1), line(2)], [line(3)], [line(3)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n3\n"
    assert stream.incomplete_reason is None
    assert kubelet.open == 0


def test_a_deleted_pod_has_no_next_file(stream_of: Callable[..., LogStream]) -> None:
    stream = stream_of(FakeKubelet([line(1), line(2)], NotFoundError("no such pod")), timings=EAGER)
    assert text(stream) == b"1\n2\n"
    assert stream.incomplete_reason is None


def test_the_check_at_the_end_is_retried_while_the_kubelet_is_unreachable(
    stream_of: Callable[..., LogStream],
) -> None:
    kubelet = FakeKubelet([line(1), line(2)], UNREACHABLE, [line(2)], [line(3)], [line(3)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n3\n"
    assert stream.incomplete_reason is None


def test_a_break_in_a_file_that_is_no_longer_the_newest_leaves_a_gap(
    stream_of: Callable[..., LogStream], clock: Clock
) -> None:
    kubelet = FakeKubelet([*busy(clock, line(1), line(2)), UNREACHABLE], [line(5)], [line(5)])
    stream = stream_of(kubelet, timings=EAGER)
    assert text(stream) == b"1\n2\n" + GAP + b"5\n"
    assert stream.incomplete_reason == "LogRotated"


def test_a_position_that_was_rotated_away_during_a_break_leaves_a_gap(
    stream_of: Callable[..., LogStream],
) -> None:
    stream = stream_of(FakeKubelet([line(1), UNREACHABLE], [line(5), line(6)]))
    assert text(stream) == b"1\n" + GAP + b"5\n6\n"
    assert stream.incomplete_reason == "LogRotated"
