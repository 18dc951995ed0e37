"""Build the command line that runs a run's `commands` in one shell. Pure."""

from collections.abc import Sequence

# Linux takes at most 128 KiB for one argument, with its terminating NUL (MAX_ARG_STRLEN).
MAX_COMMAND_BYTES = 131_071
# Kubernetes keeps what the container writes here as the message of its terminated state. The dev
# cluster, whose containers share /dev with the host, names another file in the variable.
TERMINATION_LOG = "${SPARKTEST_TERMINATION_LOG-/dev/termination-log}"


def shell_command(commands: Sequence[str]) -> list[str]:
    """Return the argv that runs the commands in order, each only if the one before ended 0.

    A single command is passed to `sh -c` as it is, so that a program that the shell execs
    receives TERM. Several share one shell: directory, variables, functions, options and traps.
    The first that ends other than 0 ends the shell with its code.

    Each command is an argument of its own that the shell copies and evaluates:

    - `eval "$command"` cannot be changed by how the command ends: a comment, a backslash, `&`, an
      open quote or an open heredoc ends with it.
    - It stands in no condition. In `{ a; } && { b; }` the shell ignores `set -e` inside of `a`,
      and a failed test would pass.
    - There is no loop, which `break` in a command would leave, and no function, which `return`
      would.
    - No argument grows beyond what the kernel takes for one.
    """
    if len(commands) == 1:
        return ["sh", "-c", commands[0]]
    return ["sh", "-c", _runner(len(commands)), "sh", *commands]


def _runner(count: int) -> str:
    """Return the script that evaluates its `count` positional parameters one after the other."""
    numbers = range(1, count + 1)
    copies = " ".join(f"_sparktest_{number}=${{{number}}}" for number in numbers)
    message = f"_sparktest_message={TERMINATION_LOG}"
    return "\n".join([copies, message, "set --", *(_step(number, count) for number in numbers)])


def _step(number: int, count: int) -> str:
    # Quoted and in braces whatever a command did to IFS, noclobber (`set -C`) or `set -e`.
    return (
        f'if [ -w "$_sparktest_message" ]; then printf %s "command {number} of {count}" '
        '>| "$_sparktest_message" || :; fi 2>/dev/null\n'
        f'eval "$_sparktest_{number}"\n'
        "_sparktest_status=$?\n"
        'case $_sparktest_status in 0) ;; *) exit "$_sparktest_status" ;; esac'
    )
