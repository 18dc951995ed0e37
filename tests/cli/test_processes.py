import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.cli import processes
from sparktest.cli.processes import Children, Signals
from tests.cli.process_table import alive, until

STANDIN = [sys.executable, "-m", "tests.cli.standin"]


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Children]:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    with Children(os.environ, tmp_path / "logs") as children:
        yield children


def test_a_child_writes_a_log_that_only_we_can_read(children: Children, tmp_path: Path) -> None:
    child = children.start("api", [*STANDIN, "--say", "hello there"])

    until("it says hello", lambda: child.has_said("hello there"))

    assert child.log == tmp_path / "logs" / "api.log"
    assert child.log.stat().st_mode & 0o777 == 0o600
    assert child.log.parent.stat().st_mode & 0o777 == 0o700
    assert not child.has_said("something else")
    assert child.exit_code() is None


def test_a_log_begins_anew(children: Children) -> None:
    for words in ("first", "second"):
        child = children.start("api", [*STANDIN, "--say", words])
        until("it says so", lambda words=words, child=child: child.has_said(words))  # type: ignore[misc]

    assert child.last_lines() == ["second"]


def test_a_revived_child_is_another_process_and_its_log_goes_on(children: Children) -> None:
    child = children.start("api", [*STANDIN, "--say", "hello", "--offspring"])
    until("its child runs", lambda: child.has_said("child"))
    first = child.pid
    os.kill(first, signal.SIGKILL)
    until("it has ended", lambda: children.ended() == [child])

    child.revive()

    until("it says hello again", lambda: child.last_lines(100).count("hello") == 2)
    assert child.pid != first
    assert children.ended() == []
    offspring = re.findall(r"offspring (\d+)", "\n".join(child.last_lines(100)))
    until("the child of the first is gone", lambda: not alive(int(offspring[0])))


def test_a_child_is_in_a_group_of_its_own(children: Children) -> None:
    child = children.start("api", STANDIN)

    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)


def test_the_one_that_ended_is_known_with_its_last_lines(children: Children) -> None:
    children.start("api", STANDIN)
    assert children.ended() == []
    failing = children.start("controller", [*STANDIN, "--say", "a\nb\nc", "--code", "7"])

    until("it has ended", lambda: children.ended() == [failing])

    assert failing.exit_code() == 7
    assert failing.last_lines(2) == ["b", "c"]


def test_the_last_started_is_ended_first(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with Children(os.environ, tmp_path) as children:
        for name in ("api", "controller", "tui"):
            child = children.start(name, [*STANDIN, "--say", name, "--diary", str(diary)])
            until("it runs", lambda name=name, child=child: child.has_said(name))  # type: ignore[misc]

    assert diary.read_text().split() == ["tui", "controller", "api"]


def test_who_does_not_end_is_killed_with_all_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    with Children(os.environ, tmp_path) as children:
        child = children.start("api", [*STANDIN, "--stubborn", "--offspring"])
        until("its child runs", lambda: child.has_said("child"))
        (offspring,) = re.findall(r"offspring (\d+)", child.log.read_text() if child.log else "")

    assert child.exit_code() == -signal.SIGKILL
    until("its child is gone too", lambda: not alive(int(offspring)))


def test_a_child_ends_when_the_lifeline_does(children: Children) -> None:
    running = [children.start(name, [*STANDIN, "--say", name]) for name in ("a", "b")]
    stubborn = children.start("c", [*STANDIN, "--stubborn", "--say", "c"])
    for child in (*running, stubborn):
        until("it runs", lambda child=child: child.has_said(child.name))  # type: ignore[misc]

    # What the kernel does when we die.
    os.dup2(os.open(os.devnull, os.O_RDONLY), children._held)

    for child in running:
        until("it has ended", lambda child=child: child.exit_code() == 0)  # type: ignore[misc]
    until("it was ended", lambda: stubborn.exit_code() == 1)


@pytest.mark.parametrize("number", Signals.WANTED)
def test_a_signal_is_noted_and_ends_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Signals() as signals:
        assert not signals.came
        os.kill(os.getpid(), number)
        until("it was noted", lambda: signals.came)

    assert signal.getsignal(number) is before
