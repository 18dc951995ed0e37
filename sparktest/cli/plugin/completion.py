"""`kubectl_complete-sparktest`: what kubectl asks for when somebody presses Tab behind us.

kubectl calls it with the words behind `kubectl sparktest`, the last of them incomplete, and reads
a candidate a line with a word about it behind a tab; the last line is a number for the shell.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr

import click
from click.shell_completion import CompletionItem, ShellComplete

from sparktest.cli.plugin import NAME, program

# Of the library that kubectl is made with: the shell may offer nothing of its own; files only.
NO_FILES, FILES = 4, 0


def main(argv: Sequence[str] | None = None) -> int:
    """0, after the candidates on stdout. Nothing is said on stderr: a shell would show it."""
    words = list(sys.argv[1:] if argv is None else argv) or [""]
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123 - of a device
        try:
            found = _found(words[:-1], words[-1])
        except Exception:  # noqa: BLE001 - the top: whoever presses Tab sees no traceback
            found = []
    for item in found:
        if item.type == "plain":
            about = f"\t{' '.join(item.help.split())}" if item.help else ""
            click.echo(f"{item.value}{about}")
    click.echo(f":{FILES if any(item.type == 'file' for item in found) else NO_FILES}")
    return 0


def _found(words: list[str], incomplete: str) -> list[CompletionItem]:
    asking = ShellComplete(program, {}, NAME, "")
    return asking.get_completions(words, incomplete)
