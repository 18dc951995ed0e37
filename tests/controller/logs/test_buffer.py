import threading
from collections.abc import Callable, Iterator

import pytest

from sparktest.controller.logs import buffer as module
from sparktest.controller.logs.buffer import Buffer


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ten bytes a chunk and twenty bytes a full buffer, without an early flush."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 10)
    monkeypatch.setattr(module, "MAX_BYTES", 20)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 600.0)


@pytest.fixture
def background() -> Iterator[Callable[[Callable[[], object]], threading.Thread]]:
    """Run a function in a thread, which has to end with the test."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work)
        thread.start()
        threads.append(thread)
        return thread

    yield start
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_small_pieces_are_taken_together(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, taken = Buffer(), []
    uploading = background(lambda: taken.append(buffer.take()))
    for piece in (b"one", b"", b"two", b"three"):
        assert buffer.put(piece)
    uploading.join(60)
    assert taken == [b"onetwothree"]


def test_less_than_a_chunk_is_taken_after_the_flush_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.0)
    buffer = Buffer()
    buffer.put(b"one")
    assert buffer.take() == b"one"


def test_less_than_a_chunk_is_taken_by_a_waiting_uploading_thread_after_the_flush_time(
    monkeypatch: pytest.MonkeyPatch, background: Callable[[Callable[[], object]], threading.Thread]
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    buffer, taken = Buffer(), []
    uploading = background(lambda: taken.append(buffer.take()))
    buffer.put(b"one")
    uploading.join(60)
    assert taken == [b"one"]


def test_the_rest_is_taken_at_the_end() -> None:
    buffer = Buffer()
    buffer.put(b"one")
    buffer.end(None)
    assert [buffer.take(), buffer.take(), buffer.take()] == [b"one", b"", b""]


def test_the_end_wakes_a_waiting_uploading_thread(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, taken = Buffer(), []
    uploading = background(lambda: taken.append(buffer.take()))
    buffer.end(None)
    uploading.join(60)
    assert taken == [b""]


def test_a_full_buffer_has_space_again_once_bytes_were_taken() -> None:
    buffer = Buffer()
    assert buffer.wait_for_space(0.0)
    buffer.put(b"x" * 20)
    assert not buffer.wait_for_space(0.0)
    assert buffer.take() == b"x" * 20
    assert buffer.wait_for_space(0.0)


def test_a_reading_thread_that_waits_for_space_is_woken_when_bytes_are_taken(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, results = Buffer(), []
    buffer.put(b"x" * 20)
    reading = background(lambda: results.append(buffer.wait_for_space(60)))
    buffer.take()
    reading.join(60)
    assert results == [True]


def test_the_reading_thread_learns_that_the_uploading_thread_is_gone() -> None:
    buffer = Buffer()
    assert buffer.put(b"x" * 30)
    buffer.close()
    assert not buffer.put(b"more")


def test_a_reading_thread_that_waits_for_space_is_woken_when_the_uploading_thread_is_gone(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, results = Buffer(), []
    buffer.put(b"x" * 20)
    reading = background(lambda: results.append(buffer.wait_for_space(60)))
    buffer.close()
    reading.join(60)
    assert results == [True]


def test_the_end_carries_the_reason_why_the_log_is_incomplete() -> None:
    buffer = Buffer()
    assert buffer.incomplete_reason is None
    buffer.end("PodDeleted")
    assert buffer.take() == b""
    assert buffer.incomplete_reason == "PodDeleted"


def test_all_bytes_of_a_fast_reading_thread_arrive_in_order(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer = Buffer()
    pieces = [b"%d\n" % number for number in range(2000)]

    def write() -> None:
        for piece in pieces:
            assert buffer.wait_for_space(60)
            buffer.put(piece)
        buffer.end(None)

    background(write)
    assert b"".join(iter(buffer.take, b"")) == b"".join(pieces)


def test_a_log_ends_in_time_though_its_reading_thread_goes_on(small: None) -> None:
    buffer = Buffer()
    buffer.put(b"one")
    buffer.end_within(0.02)
    taken = b""
    while part := buffer.take():
        taken += part
        buffer.put(b"x")
    assert taken.startswith(b"one")
    assert not buffer.put(b"late")
    assert buffer.take() == b""
    assert buffer.incomplete_reason is None


def test_the_first_end_counts() -> None:
    buffer = Buffer()
    buffer.end_within(0.0)
    buffer.end_within(1000.0)
    assert buffer.take() == b""


def test_a_stop_wakes_the_uploading_thread_and_drops_what_was_not_taken(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, taken = Buffer(), []
    buffer.put(b"one")
    uploading = background(lambda: taken.append(buffer.take()))
    buffer.stop()
    uploading.join(60)
    assert taken == [b""]
    assert not buffer.put(b"more")


def test_a_successor_is_empty_and_ends_at_the_same_time() -> None:
    buffer = Buffer()
    buffer.put(b"one")
    buffer.end_within(0.02)
    assert buffer.successor().take() == b""
