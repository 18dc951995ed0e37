"""Build the command that runs a list of `commands` in one shell; keep text literal. Pure."""

from collections.abc import Sequence

# The limit of Linux for one argument (MAX_ARG_STRLEN, 128 KiB) without the terminating NUL.
MAX_COMMAND_BYTES = 131_071
# The kubelet copies this file to the message of the container's terminated state. In the dev
# cluster, containers share /dev with the host, and the variable names another file.
TERMINATION_LOG = "${SPARKTEST_TERMINATION_LOG-/dev/termination-log}"


def shell_command(commands: Sequence[str]) -> list[str]:
    """Return the argv that runs the commands in order until one of them fails.

    The exit code is that of the command that failed. The commands share one shell: its directory,
    variables, functions, options and traps. A single command is passed to `sh -c` unchanged, so
    that a program that the shell execs receives TERM.

    Each command is passed as a separate argument, which the shell copies and evaluates:

    - `eval "$command"` contains the command, even if it ends with a comment, a backslash, `&`, an
      open quote or an open heredoc.
    - `eval` is not part of a condition. In `{ a; } && { b; }`, the shell would ignore `set -e`
      inside `a`, and a failed test would pass.
    - The script is unrolled: `break` in a command would leave a loop, and `return` a function.
    - No argument exceeds the limit of the kernel.
    """
    if len(commands) == 1:
        return ["sh", "-c", *commands]
    return ["sh", "-c", _runner(len(commands)), "sh", *commands]


def _runner(count: int) -> str:
    """Return the script that evaluates its `count` positional parameters in order."""
    numbers = range(1, count + 1)
    copies = " ".join(f"_sparktest_{number}=${{{number}}}" for number in numbers)
    message = f"_sparktest_message={TERMINATION_LOG}"
    return "\n".join([copies, message, "set --", *(_step(number, count) for number in numbers)])


def _step(number: int, count: int) -> str:
    # Robust against commands that change IFS or set `-C` (noclobber) or `-e`.
    return (
        f'if [ -w "$_sparktest_message" ]; then printf %s "command {number} of {count}" '
        '>| "$_sparktest_message" || :; fi 2>/dev/null\n'
        f'eval "$_sparktest_{number}"\n'
        "_sparktest_status=$?\n"
        'case $_sparktest_status in 0) ;; *) exit "$_sparktest_status" ;; esac'
    )


def escape_dollars(text: str) -> str:
    """Double every `$`, so that the text reaches the container unchanged.

    Kubernetes itself expands `$(NAME)` and `$$` in commands and values.
    """
    return text.replace("$", "$$")
