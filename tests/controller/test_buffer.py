"""Bytes go from the thread that reads a log to the one that stores it, whole and in order."""

import threading
from collections.abc import Callable, Iterator

import pytest

from sparktest.controller import buffer as module
from sparktest.controller.buffer import Buffer


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten bytes are enough to be handed on, twenty are too many; what is less is never late."""
    monkeypatch.setattr(module, "CHUNK", 10)
    monkeypatch.setattr(module, "HELD", 20)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 600.0)


@pytest.fixture
def background() -> Iterator[Callable[[Callable[[], object]], threading.Thread]]:
    """Starts something in a thread, which has to end with the test."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work)
        thread.start()
        threads.append(thread)
        return thread

    yield start
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def never() -> None:
    raise AssertionError("it is not full")


def test_small_pieces_are_handed_on_together(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, taken = Buffer(), []
    reader = background(lambda: taken.append(buffer.take()))
    for piece in (b"one", b"", b"two", b"three"):
        assert buffer.put(piece, while_full=never)
    reader.join(5)
    assert taken == [b"onetwothree"]


def test_a_little_is_handed_on_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.0)
    buffer = Buffer()
    buffer.put(b"one", while_full=never)
    assert buffer.take() == b"one"


def test_a_little_that_comes_while_the_reader_waits_is_handed_on_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)
    buffer, taken = Buffer(), []
    reader = background(lambda: taken.append(buffer.take()))
    buffer.put(b"one", while_full=never)
    reader.join(5)
    assert taken == [b"one"]


def test_at_the_end_comes_what_is_left_and_then_nothing() -> None:
    buffer = Buffer()
    buffer.put(b"one", while_full=never)
    buffer.end()
    assert [buffer.take(), buffer.take(), buffer.take()] == [b"one", b"", b""]


def test_the_end_wakes_a_reader_that_waits(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, taken = Buffer(), []
    reader = background(lambda: taken.append(buffer.take()))
    buffer.end()
    reader.join(5)
    assert taken == [b""]


def test_a_full_buffer_holds_the_writer_back_until_there_is_room(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, held = Buffer(), threading.Event()
    # A writer that is held back looks about once a second; here it looks all the time.
    buffer._changed.wait = lambda timeout=None: False  # type: ignore[method-assign]
    buffer.put(b"x" * 20, while_full=never)
    writer = background(lambda: buffer.put(b"more", while_full=held.set))
    assert held.wait(5)
    assert writer.is_alive()
    assert buffer.take() == b"x" * 20
    writer.join(5)
    buffer.end()
    assert buffer.take() == b"more"


def test_the_writer_learns_that_the_reader_is_gone() -> None:
    buffer = Buffer()
    assert buffer.put(b"x" * 30, while_full=never)
    buffer.close()
    assert not buffer.put(b"more", while_full=never)


def test_the_writer_that_is_held_back_learns_that_the_reader_is_gone(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer, answers = Buffer(), []
    buffer.put(b"x" * 20, while_full=never)
    waiting = threading.Event()

    def write() -> None:
        waiting.set()
        answers.append(buffer.put(b"more", while_full=lambda: None))

    writer = background(write)
    assert waiting.wait(5)
    buffer.close()
    writer.join(5)
    assert answers == [False]


def test_all_bytes_of_a_fast_writer_arrive_in_order(
    background: Callable[[Callable[[], object]], threading.Thread],
) -> None:
    buffer = Buffer()
    pieces = [b"%d\n" % number for number in range(2000)]

    def write() -> None:
        for piece in pieces:
            buffer.put(piece, while_full=lambda: None)
        buffer.end()

    background(write)
    assert b"".join(iter(buffer.take, b"")) == b"".join(pieces)
