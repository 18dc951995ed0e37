"""Commands and programs: what the container runs, and what its end means."""

import subprocess
import sys
from typing import Any

import pytest

from sparktest.domain import FailureClass, Status
from sparktest.errors import InvalidError
from tests.e2e.stack import IMAGE, Stack

pytestmark = pytest.mark.e2e

# The commands, the possible exit codes, and the command that the failure names.
FAILING: dict[str, tuple[list[str], set[int], str]] = {
    "set-e": (["set -e\nfalse\necho next\n", "echo next"], {1}, "command 1 of 2"),
    "split": (["set -e", "(exit 9); echo next", "echo next"], {9}, "command 2 of 3"),
    # dash knows no pipefail: then the first command fails.
    "pipefail": (["set -o pipefail", "(exit 4) | cat", "echo next"], {4, 2}, "of 3"),
    "open-quote": (["echo 'open", "echo next"], {1, 2}, "command 1 of 2"),
}
PASSING: dict[str, tuple[list[str], str]] = {
    "only-a-comment": (["# only a comment", "echo after"], "after\n"),
    # Shells differ in what they print for the backslash.
    "backslash": (["echo one \\", "echo two"], "\ntwo\n"),
    "state": (["cd /; WHO=me", 'greet() { echo "$WHO in $(pwd)"; }', "greet"], "me in /\n"),
    "three-long": (["true # " + "x" * 48_000] * 3, ""),
}


@pytest.fixture(scope="session", autouse=True)
def testruns(stack: Stack) -> None:
    """All TestRuns of this module, started together."""
    cases: dict[str, tuple[Any, ...]] = FAILING | PASSING
    for name, (commands, *_) in cases.items():
        stack.apply(name, commands=commands)


@pytest.mark.parametrize("name", FAILING)
def test_a_list_with_a_failing_command_fails_with_its_exit_code(stack: Stack, name: str) -> None:
    _, codes, command = FAILING[name]

    stack.wait_until_finished(name)

    run = stack.run_of(name)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert run.failure.class_ is FailureClass.TEST
    assert run.failure.exit_code in codes
    assert command in run.failure.message
    assert "next" not in stack.log_of(run)


@pytest.mark.parametrize("name", PASSING)
def test_a_list_whose_commands_all_exit_with_0_passes(stack: Stack, name: str) -> None:
    _, log = PASSING[name]

    stack.wait_until_finished(name)

    run = stack.run_of(name)
    assert run.status is Status.SUCCEEDED
    assert stack.log_of(run).endswith(log)


def test_a_command_that_no_kernel_starts_is_refused(stack: Stack) -> None:
    with pytest.raises(InvalidError, match="131071"):
        stack.apply("one-long", commands=["true # " + "x" * 140_000])


def test_words_after_two_dashes_reach_the_program_as_typed(stack: Stack) -> None:
    options = ["--image", IMAGE, "--env", "date=2020", "--follow"]
    script = 'test "$$" -gt 0 && test "$(date)" != "$date" && echo "$(($$ * 0)) $date"'

    ended = subprocess.run(
        [sys.executable, "-m", "sparktest", "run", *options, "--", "sh", "-c", script],
        env=stack.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (ended.returncode, ended.stdout) == (0, "0 2020\n"), ended.stderr
