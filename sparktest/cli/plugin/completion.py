"""`kubectl_complete-sparktest`: the completions that kubectl asks for after `kubectl sparktest`.

kubectl passes the words after `kubectl sparktest`, of which the last is incomplete. It reads a
completion per line, with help after a tab; the last line is a directive for the shell.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr

import click
from click.shell_completion import ShellComplete

from sparktest.cli.plugin import NAME, program

# Directives of cobra, the command-line library of kubectl. The default completes file names.
NO_FILE_COMPLETION, DEFAULT = 4, 0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the completions and return 0; print nothing on stderr, which the shell would show."""
    words = list(sys.argv[1:] if argv is None else argv) or [""]
    shell = ShellComplete(program, {}, NAME, "")
    with open(os.devnull, "w", encoding="utf-8") as null, redirect_stderr(null):  # noqa: PTH123 - of a device
        try:
            found = shell.get_completions(words[:-1], words[-1])
        except Exception:  # noqa: BLE001 - top level: users never see a traceback
            found = []
    for item in found:
        if item.type == "plain":
            text = f"\t{' '.join(item.help.split())}" if item.help else ""
            click.echo(f"{item.value}{text}")
    files = any(item.type == "file" for item in found)
    click.echo(f":{DEFAULT if files else NO_FILE_COMPLETION}")
    return 0
