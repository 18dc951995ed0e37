"""Batch: bytes that are stored together, soon after the first of them."""

import pytest

from sparktest.controller.logs import batch as module
from sparktest.controller.logs.batch import Batch
from tests.controller.logs.fake_kubelet import Clock


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock, and make ten bytes or a second a batch."""
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    monkeypatch.setattr(module, "MAX_SECONDS", 1.0)
    return found


def test_small_pieces_are_taken_together(time: Clock) -> None:
    batch = Batch()
    for piece in (b"one", b"", b"two"):
        batch.add(piece)
    assert (batch.size, batch.is_due) == (6, False)
    assert batch.take() == b"onetwo"
    assert (batch.size, batch.take()) == (0, b"")


def test_it_is_due_a_second_after_the_first_byte(time: Clock) -> None:
    batch = Batch()
    batch.add(b"one")
    time.now += 0.6
    batch.add(b"two")
    assert not batch.is_due
    assert batch.seconds_left == pytest.approx(0.4)
    time.now += 0.5
    assert (batch.is_due, batch.seconds_left) == (True, 0.0)
    batch.take()
    batch.add(b"three")
    assert not batch.is_due


def test_it_is_due_at_once_when_it_is_large(time: Clock) -> None:
    batch = Batch()
    batch.add(b"x" * 9)
    assert not batch.is_due
    batch.add(b"x")
    assert batch.is_due


def test_nothing_is_never_due(time: Clock) -> None:
    batch = Batch()
    time.now += 100
    batch.add(b"")
    assert not batch.is_due
