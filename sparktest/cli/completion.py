"""The command completion, and what the shell asks for when somebody presses Tab."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "_SPARKTEST_COMPLETE"
HOW = {
    "bash": 'in ~/.bashrc: eval "$(sparktest completion bash)"',
    "zsh": 'in ~/.zshrc, after compinit: eval "$(sparktest completion zsh)"',
    "fish": "sparktest completion fish > ~/.config/fish/completions/sparktest.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(HOW)))
def completion(shell: str) -> None:
    """Print the script that completes commands in a shell.

    Commands, options, and what the API knows: runs, definitions, namespaces. Its last line says
    how to keep it.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"{shell} is no shell that can complete.")
    root = click.get_current_context().find_root().command
    # Not source(): it starts a bash to learn its version, also where only the text is wanted.
    script = made(root, {}, "sparktest", VARIABLE)
    click.echo(script.source_template % script.source_vars())
    # Last: zsh looks for #compdef in the first line.
    click.echo(f"# To keep it: {HOW[shell]}")


def asked(environ: "Mapping[str, str]") -> str | None:
    """What a shell asks for, such as `bash_complete`; None where this is no completion."""
    return environ.get(VARIABLE) or None


def answer(command: click.Command, instruction: str) -> int:
    """Print the candidates; the exit code. Nothing is ever said on stderr: a shell shows it."""
    from click.shell_completion import shell_complete

    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - of a device
        from contextlib import redirect_stderr

        with redirect_stderr(nowhere):
            try:
                return shell_complete(command, {}, "sparktest", VARIABLE, instruction)
            except Exception:  # noqa: BLE001 - the top: whoever presses Tab sees no traceback
                return 1
