import os
import random
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.cli.up import processes
from sparktest.cli.up.processes import (
    MAX_RESTARTS,
    RESTART_BACKOFF,
    WINDOW_SECONDS,
    ChildProcess,
    ProcessGroup,
    RestartPolicy,
    StopSignals,
)
from tests.cli.up.process_table import alive
from tests.e2e.program import until

FAKE_PROGRAM = [sys.executable, "-m", "tests.cli.up.fake_program"]


def has_printed(child: ChildProcess, words: str) -> bool:
    """Return True when a line of the child's log contains the words."""
    return any(words in line for line in child.last_lines(100))


@pytest.fixture
def children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessGroup]:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    with ProcessGroup(os.environ, tmp_path / "logs") as children:
        yield children


def test_a_log_is_readable_only_by_its_owner(children: ProcessGroup, tmp_path: Path) -> None:
    child = children.start("api", [*FAKE_PROGRAM, "--print", "hello there"])

    until("it prints hello", lambda: has_printed(child, "hello there"))

    assert child.log == tmp_path / "logs" / "api.log"
    assert child.log.stat().st_mode & 0o777 == 0o600
    assert child.log.parent.stat().st_mode & 0o777 == 0o700
    assert not has_printed(child, "something else")
    assert child.exit_code() is None


def test_a_new_program_starts_with_an_empty_log(children: ProcessGroup) -> None:
    for words in ("first", "second"):
        child = children.start("api", [*FAKE_PROGRAM, "--print", words])
        until("it has started", lambda words=words, child=child: has_printed(child, words))  # type: ignore[misc]

    assert child.last_lines() == ["second"]


def test_a_restarted_child_is_a_new_process_and_appends_to_its_log(children: ProcessGroup) -> None:
    child = children.start("api", [*FAKE_PROGRAM, "--print", "hello", "--offspring"])
    until("its child is running", lambda: has_printed(child, "child"))
    first = child.pid
    os.kill(first, signal.SIGKILL)
    until("it has ended", lambda: children.ended() == [child])

    child.restart()

    until("it prints hello again", lambda: child.last_lines(100).count("hello") == 2)
    assert child.pid != first
    assert children.ended() == []
    offspring = re.findall(r"offspring (\d+)", "\n".join(child.last_lines(100)))
    until("the child of the first is gone", lambda: not alive(int(offspring[0])))


def test_a_child_has_its_own_process_group(children: ProcessGroup) -> None:
    child = children.start("api", FAKE_PROGRAM)

    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)


def test_a_program_that_ended_is_listed_with_its_last_lines(children: ProcessGroup) -> None:
    children.start("api", FAKE_PROGRAM)
    assert children.ended() == []
    failing = children.start("controller", [*FAKE_PROGRAM, "--print", "a\nb\nc", "--code", "7"])

    until("it has ended", lambda: children.ended() == [failing])

    assert failing.exit_code() == 7
    assert failing.last_lines(2) == ["b", "c"]


def test_programs_are_stopped_in_reverse_order(tmp_path: Path) -> None:
    stop_log = tmp_path / "stop_log"
    with ProcessGroup(os.environ, tmp_path) as children:
        for name in ("api", "controller", "tui"):
            child = children.start(
                name, [*FAKE_PROGRAM, "--print", name, "--stop-log", str(stop_log)]
            )
            until("it runs", lambda name=name, child=child: has_printed(child, name))  # type: ignore[misc]

    assert stop_log.read_text().split() == ["tui", "controller", "api"]


def test_a_program_that_ignores_sigterm_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    with ProcessGroup(os.environ, tmp_path) as children:
        child = children.start("api", [*FAKE_PROGRAM, "--stubborn", "--offspring"])
        until("its child is running", lambda: has_printed(child, "child"))
        (offspring,) = re.findall(r"offspring (\d+)", child.log.read_text() if child.log else "")

    assert child.exit_code() == -signal.SIGKILL
    until("its child is gone too", lambda: not alive(int(offspring)))


def test_a_child_stops_when_its_parent_dies(children: ProcessGroup) -> None:
    running = [children.start(name, [*FAKE_PROGRAM, "--print", name]) for name in ("a", "b")]
    stubborn = children.start("c", [*FAKE_PROGRAM, "--stubborn", "--print", "c"])
    for child in (*running, stubborn):
        until("it runs", lambda child=child: has_printed(child, child.name))  # type: ignore[misc]

    # The kernel closes this end when the parent dies.
    os.dup2(os.open(os.devnull, os.O_RDONLY), children._pipe_write)

    for child in running:
        until("it has ended", lambda child=child: child.exit_code() == 0)  # type: ignore[misc]
    until("it was ended", lambda: stubborn.exit_code() == 1)


@pytest.mark.parametrize("number", StopSignals.SIGNALS)
def test_a_signal_is_noted_and_stops_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals() as signals:
        assert not signals.received
        os.kill(os.getpid(), number)
        until("it was noted", lambda: signals.received)

    assert signal.getsignal(number) is before


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> RestartPolicy:
    """Return a policy without jitter."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    return RestartPolicy()


def test_the_restart_delay_doubles_with_each_recent_death(policy: RestartPolicy) -> None:
    assert [policy.delay("api", now) for now in range(4)] == [0.25, 0.5, 1.0, 2.0]
    assert policy.delay("api", 4 + WINDOW_SECONDS) == 0.25


def test_restart_delays_and_restarts_are_limited(policy: RestartPolicy) -> None:
    delays = [policy.delay("api", now / 10) for now in range(MAX_RESTARTS + 1)]

    assert delays[-1] is None
    assert delays[-2] == RESTART_BACKOFF.cap


def test_each_program_has_its_own_restart_count(policy: RestartPolicy) -> None:
    for now in range(MAX_RESTARTS):
        policy.delay("api", now)

    assert policy.delay("controller", MAX_RESTARTS) == 0.25
