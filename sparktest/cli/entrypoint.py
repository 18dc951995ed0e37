"""Entry point of a command-line program: lazy commands, exit codes, one-line errors."""

import io
import os
import pkgutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem, shell_complete

from sparktest.cli.exits import Exit, ExitError, error_code, error_text, warn
from sparktest.cli.interrupts import interruptible
from sparktest.errors import SparkTestError


class LazyCommand(NamedTuple):
    """Where a command is defined (`module:attribute`), and the first sentence of its help."""

    target: str
    short_help: str


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used.

    The list of commands and its completion come from the table alone.
    """

    def __init__(self, *args: Any, table: Mapping[str, LazyCommand], **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, or None; imports its module."""
        if cmd_name in self.commands or cmd_name not in self.table:
            return self.commands.get(cmd_name)
        command: click.Command = pkgutil.resolve_name(self.table[cmd_name].target)
        self.add_command(command, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.table[name].short_help) for name in sorted(self.table)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with what is typed."""
        names = [name for name in sorted(self.table) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=self.table[name].short_help) for name in names]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


def run(program: click.Group, name: str, argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name (default: sys.argv) and return its exit code.

    `name` is what users type.
    """
    for stream in (sys.stdout, sys.stderr):
        # Print ? for a character that the terminal cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _run(program, name, sys.argv[1:] if argv is None else argv)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone; without this, Python's flush at exit prints an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except OSError as error:
        text = error.strerror or str(error)
        return _fail(f"{error.filename}: {text}" if error.filename else text, Exit.INFRA)
    except Exception as error:  # noqa: BLE001 - top level: users never see a traceback
        return _fail(f"this is a bug in SparkTest, please report it: {_origin(error)}", Exit.INFRA)
    return code


def complete(program: click.Group, name: str, variable: str) -> int | None:
    """Answer a shell that asks for completions; return the exit code.

    Return None when the environment variable is not set: this is no completion. Print nothing on
    stderr, which the shell would show.
    """
    instruction = os.environ.get(variable)
    if not instruction:
        return None
    with open(os.devnull, "w", encoding="utf-8") as null, redirect_stderr(null):  # noqa: PTH123 - of a device
        try:
            return shell_complete(program, {}, name, variable, instruction)
        except Exception:  # noqa: BLE001 - top level: users never see a traceback
            return 1


def _run(program: click.Group, name: str, argv: Sequence[str]) -> int:
    try:
        with interruptible():
            return _invoke(program, name, argv)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return Exit.USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else _command_path(program, name, argv)
        message = error.format_message()
        stop = "" if message.endswith((".", "?", "!")) else "."
        return _fail(f"{message}{stop} See: {path} --help", Exit.USAGE)
    except click.ClickException as error:
        return _fail(error.format_message(), Exit.INFRA)
    except ExitError as error:
        for line in error.before:
            click.echo(line, err=True)
        return _fail(error.text, error.code)
    except SparkTestError as error:
        return _fail(error_text(error), error_code(error))
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", Exit.INTERRUPTED)


def _invoke(program: click.Group, name: str, argv: Sequence[str]) -> int:
    for arg in argv:
        try:
            # Python decodes other bytes to lone surrogates.
            arg.encode()
        except UnicodeEncodeError as error:
            raise click.UsageError(f"{arg!r} is not UTF-8.") from error
    try:
        with program.make_context(name, list(argv)) as context:
            return program.invoke(context) or Exit.PASSED
    except click.exceptions.Exit as end:
        return end.exit_code


def _command_path(program: click.Group, name: str, argv: Sequence[str]) -> str:
    """Return the words that name the command; some errors of click come without a context."""
    command: click.Command | None = program
    path = [name]
    for arg in argv:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), arg)
        if command:
            path.append(arg)
    return " ".join(path)


def _origin(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})"
    return f"{type(error).__name__}: {error} at {place}"


def _fail(text: str, code: Exit) -> int:
    warn(text)
    return code
