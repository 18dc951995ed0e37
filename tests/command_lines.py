"""Check command lines in texts against the existing commands and options."""

import shlex

import click

from sparktest.cli import plugin, program


def problem_of(text: str) -> str:
    """Return what is wrong with a command line such as `sparktest runs -q x`, "" if nothing."""
    by_kubectl = text.startswith("kubectl ")
    words = shlex.split(text)[2 if by_kubectl else 1 :]
    command: click.Command | None = plugin.program if by_kubectl else program
    while words and isinstance(command, click.Group):
        name = words.pop(0)
        command = command.get_command(click.Context(command), name)
        if command is None:
            return f"there is no command {name!r}"
    known = {name for option in command.params for name in option.opts} if command else set()
    options = words[: words.index("--")] if "--" in words else words
    unknown = [
        word
        for word in options
        if word.startswith("-") and word != "-" and word.partition("=")[0] not in known
    ]
    return f"there is no option {unknown[0]}" if unknown else ""
