import io
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from sparktest.cli import interrupts
from sparktest.cli.interrupts import interruptible


class Finalized(io.IOBase):
    """A file that gets Ctrl-C while it is finalized, where Python drops the exception."""

    @property
    def closed(self) -> bool:
        signal.raise_signal(signal.SIGINT)
        return True


def finalize() -> None:
    """Lose one KeyboardInterrupt."""
    Finalized()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "AGAIN_SECONDS", 0.01)


def test_python_loses_an_interrupt_in_a_finalizer() -> None:
    finalize()


def is_interrupted(command: Callable[[], None]) -> bool:
    """Run the command; return True if KeyboardInterrupt ended it."""
    try:
        with interruptible():
            command()
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("times", [1, 5])
def test_a_lost_interrupt_is_raised_again(times: int) -> None:
    def command() -> None:
        for _ in range(times):
            finalize()
        time.sleep(10)

    assert is_interrupted(command)


def test_it_is_raised_once_while_it_is_handled() -> None:
    raised = []

    def command() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raised.append(error)
            # Long enough for another one; what handles it may fail and recover meanwhile.
            with suppress(ValueError):
                time.sleep(0.1)
                raise ValueError from None
            raise

    assert is_interrupted(command)
    assert len(raised) == 1


def test_a_second_ctrl_c_interrupts_what_handles_the_first() -> None:
    done = []

    def command() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            done.append("not interrupted")

    assert is_interrupted(command)
    assert done == []


def test_nothing_is_raised_after_the_block_and_the_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)]
    with suppress(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
    time.sleep(0.05)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)] == before


def test_an_ignored_sigint_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_the_handlers_alone() -> None:
    found = []

    def look() -> None:
        with interruptible():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(60)
    assert found == [signal.default_int_handler]
