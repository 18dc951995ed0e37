"""Commands in real shells: a run in which one fails never passes."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sparktest.kube.script import MAX_COMMAND_BYTES, TERMINATION_LOG, shell_command
from tests.requirements import require_program

SHELLS = {
    "busybox sh": ("busybox", "sh"),
    "dash": ("dash",),
    "bash": ("bash", "--posix"),
    "ksh93": ("ksh93",),
    "mksh": ("mksh",),
}


def execute(
    shell: tuple[str, ...], commands: list[str], folder: Path, stdin: bytes = b"", **env: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the commands as a container would, with the given shell as `sh`."""
    argv = shell_command(commands)
    assert argv[0] == "sh"
    return subprocess.run(
        [*shell, *argv[1:]],
        capture_output=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)} | env,
        input=stdin,
        timeout=30,
    )


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """A shell that may be a container's `sh`."""
    require_program(SHELLS[request.param][0])
    return SHELLS[request.param]


def test_a_single_command_is_passed_to_the_shell_unchanged() -> None:
    assert shell_command(["exec pytest"]) == ["sh", "-c", "exec pytest"]


# Lists of commands with their exit code (None for any but 0). They must not print "next".
FAILING = {
    "set -e": (["set -e\nfalse\necho next", "echo next"], 1),
    "set -e in a command before": (["set -e", "(exit 9); echo next", "echo next"], 9),
    "exit in the middle": (["exit 4", "echo next"], 4),
    "exec": (["exec sh -c 'exit 6'", "echo next"], 6),
    "a subshell": (["(exit 7)", "echo next"], 7),
    "the last command": (["true", "(exit 8)"], 8),
    "a code that ends in 0": (["(exit 10)", "echo next"], 10),
    "the code of a signal": (["(exit 130)", "echo next"], 130),
    "a trap": (["trap 'echo bye' EXIT", "(exit 3)", "echo next"], 3),
    "a changed IFS": (["IFS=0123456789", "(exit 21)", "echo next"], 21),
    "set -u": (["set -u", 'echo "$missing"; true', "echo next"], None),
    "an unknown program": (["no-such-program-here", "echo next"], 127),
    "a trailing comment": (["false # comment", "echo next"], 1),
    "a trailing and": (["false &&", "echo next"], None),
    "an open quote": (["echo 'open", "echo next"], None),
    "an open brace": (["{ echo open", "echo next"], None),
    "a closing brace": (["}", "echo next"], None),
    "done without do": (["done", "echo next"], None),
    "a function named like the runner's variables": (
        ["_sparktest_status() { :; }; printf() { :; }", "(exit 5)", "echo next"],
        5,
    ),
    "noclobber": (["set -C", "(exit 5)", "echo next"], 5),
    "break outside a loop": (["break; (exit 5)", "echo next"], 5),
    "positional parameters": (["set -- a b c", 'test "$#" = 0', "echo next"], 1),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_command_that_fails_ends_the_run_with_its_code(
    name: str, shell: tuple[str, ...], tmp_path: Path
) -> None:
    commands, code = FAILING[name]
    done = execute(shell, commands, tmp_path)

    assert done.returncode != 0
    assert code is None or done.returncode == code
    assert b"next" not in done.stdout


PASSING = {
    "a comment": (["# only a comment", "echo after"], b"after\n"),
    "a backslash": (["echo one \\", "echo two"], None),
    "a semicolon": (["echo one;", "echo two"], b"one\ntwo\n"),
    "an ampersand": (["true &", "wait; echo two"], b"two\n"),
    "a heredoc": (["cat <<END\none\nEND", "echo two"], b"one\ntwo\n"),
    "or": (["false || true", "echo two"], b"two\n"),
    "state": (["cd /; WHO=me", 'greet() { echo "$WHO in $(pwd)"; }', "greet"], b"me in /\n"),
    "no parameters": (['echo "$#"', 'echo "$0"'], b"0\nsh\n"),
    "an EXIT trap": (["trap 'echo bye' EXIT", "echo two"], b"two\nbye\n"),
    "many commands": (
        [f"echo {number}" for number in range(256)],
        b"".join(b"%d\n" % number for number in range(256)),
    ),
    "an empty command": (["", "echo two"], b"two\n"),
    "exit 0 ends the run": (["exit 0", "false"], b""),
}


@pytest.mark.parametrize("name", PASSING)
def test_commands_that_end_zero_pass(name: str, shell: tuple[str, ...], tmp_path: Path) -> None:
    commands, output = PASSING[name]
    done = execute(shell, commands, tmp_path)

    assert done.returncode == 0, done.stderr
    assert output is None or done.stdout == output


def test_an_open_heredoc_ends_with_its_command(shell: tuple[str, ...], tmp_path: Path) -> None:
    done = execute(shell, ["cat <<END\none\n", "echo two"], tmp_path)

    # mksh rejects it as incomplete.
    assert (done.returncode, done.stdout) in ((0, b"one\ntwo\n"), (1, b""))


@pytest.mark.parametrize("option", ["true", "set -C", "set -e", "set -u", "IFS=012", "set -f"])
def test_the_termination_message_names_the_command_that_ended_the_run(
    option: str, shell: tuple[str, ...], tmp_path: Path
) -> None:
    message = tmp_path / "termination log"
    message.touch()
    commands = [option, "true", "(exit 5)", "true"]
    done = execute(shell, commands, tmp_path, SPARKTEST_TERMINATION_LOG=str(message))

    assert done.returncode == 5
    assert message.read_text() == "command 3 of 4"


def test_the_termination_message_of_a_success_names_the_last_command(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    message = tmp_path / "message"
    message.touch()
    execute(shell, ["true", "true"], tmp_path, SPARKTEST_TERMINATION_LOG=str(message))

    assert message.read_text() == "command 2 of 2"


def test_only_the_commands_read_the_standard_input(shell: tuple[str, ...], tmp_path: Path) -> None:
    done = execute(shell, ["true", "cat"], tmp_path, stdin=b"echo input\n")

    assert done.stdout == b"echo input\n"


def test_a_failing_write_to_the_termination_log_is_ignored(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    commands = ["set -e", "echo two"]
    done = execute(shell, commands, tmp_path, SPARKTEST_TERMINATION_LOG="/dev/full")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"two\n", b"")


def test_a_missing_termination_log_is_not_created(shell: tuple[str, ...], tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    done = execute(shell, ["true", "echo two"], tmp_path, SPARKTEST_TERMINATION_LOG=missing)

    assert (done.stdout, done.stderr) == (b"two\n", b"")
    assert list(tmp_path.iterdir()) == []


def test_each_command_may_be_as_long_as_the_kernel_allows(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    long = "true #".ljust(MAX_COMMAND_BYTES, "x")
    done = execute(shell, [long, long, "echo end"], tmp_path)

    assert (done.returncode, done.stdout) == (0, b"end\n")


def test_the_kernel_allows_no_longer_command(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Argument list too long"):
        execute(("sh",), ["true #".ljust(MAX_COMMAND_BYTES + 1, "x")], tmp_path)


def test_the_message_goes_to_the_file_that_the_kubelet_reads(shell: tuple[str, ...]) -> None:
    argv = [*shell, "-c", f"echo {TERMINATION_LOG}"]
    done = subprocess.run(argv, capture_output=True, check=True, env={"PATH": os.environ["PATH"]})

    assert done.stdout == b"/dev/termination-log\n"


PIECES = st.sampled_from(
    [
        "true",
        "echo a",
        "cd /",
        "x=1",
        "set -e",
        "set -u",
        "set +e",
        "set -f",
        "set -C",
        "IFS=1",
        "f() { return 3; }",
        "trap 'true' EXIT",
        "case x in x) true;; esac",
        "cat <<E\nz",
        "cat <<E\nz\nE",
        ": #",
        "true \\",
        "true;",
        "true &",
        "(true)",
        "! false",
        "if true; then true; fi",
        "for i in 1 2; do :; done",
        "false || true",
        "eval true",
        "s=0",
        "true\r",
        "printf '%s' '\u00fc\u2603'",
        "true && true",
        "#",
        "\n\n",
        "wait",
    ]
)
ENDS = st.sampled_from(
    [
        "(exit 3)",
        "exit 3",
        "exec sh -c 'exit 3'",
        "sh -c 'exit 3'",
        "true && (exit 3)",
        "set -e\n(exit 3)\ntrue",
        "f() { return 3; }; f",
        "if true; then (exit 3); fi",
        "true; (exit 3) # comment",
        "{ exit 3; }",
        "while :; do exit 3; done",
    ]
)


@pytest.mark.parametrize("name", SHELLS)
@settings(max_examples=60)
@given(before=st.lists(PIECES, max_size=4), failing=ENDS, after=st.lists(PIECES, max_size=2))
@example(before=["set -e"], failing="set -e\n(exit 3)\ntrue", after=["true"])
def test_a_failing_command_fails_the_run_whatever_surrounds_it(
    name: str, before: list[str], failing: str, after: list[str]
) -> None:
    require_program(SHELLS[name][0])
    marked = f"echo REACHED\n{failing}"
    done = execute(SHELLS[name], [*before, marked, *after, "echo PASSED-ON"], Path("/"))

    assert b"PASSED-ON" not in done.stdout or b"REACHED" not in done.stdout
    assert done.returncode != 0
