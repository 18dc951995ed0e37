"""Where a program of the command line begins and ends: exit codes, one line of error."""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from sparktest.cli.door import say
from sparktest.cli.exits import Exit, ExitError, of_error, text_of
from sparktest.errors import SparkTestError


def called(program: click.Group, name: str, argv: Sequence[str] | None = None) -> int:
    """The exit code of the command that the arguments name; sys.argv where there are none given.

    `name` is what people type.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _ended(program, name, sys.argv[1:] if argv is None else argv)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has enough. Nothing may complain when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except OSError as error:
        return _said(str(error), Exit.INFRA)
    except Exception as error:  # noqa: BLE001 - the top: nobody sees a traceback
        return _said(f"this is a bug in SparkTest, please report it: {_where(error)}", Exit.INFRA)
    return code


def _ended(program: click.Group, name: str, argv: Sequence[str]) -> int:
    try:
        return _run(program, name, argv)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help(), err=True)
        return Exit.USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else name
        return _said(f"{error.format_message()} See: {path} --help", Exit.USAGE)
    except click.ClickException as error:
        # What else click cannot do, such as start the editor.
        return _said(error.format_message(), Exit.INFRA)
    except ExitError as error:
        for line in error.before:
            click.echo(line, err=True)
        return _said(error.text, error.code)
    except SparkTestError as error:
        return _said(text_of(error), of_error(error))
    except (KeyboardInterrupt, click.Abort):
        return _said("interrupted", Exit.INTERRUPTED)


def _run(program: click.Group, name: str, argv: Sequence[str]) -> int:
    for arg in argv:
        if not arg.isprintable() and _undecodable(arg):
            raise click.UsageError(f"{arg!r} is not UTF-8.")
    try:
        with program.make_context(name, list(argv)) as context:
            return program.invoke(context) or Exit.PASSED
    except click.exceptions.Exit as end:
        return end.exit_code


def _where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno} ({frame.name})"
    return f"{type(error).__name__}: {error} at {place}"


def _undecodable(arg: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in arg)


def _said(text: str, code: Exit) -> int:
    say(text)
    return code
