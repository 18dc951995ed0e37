"""Options shared by several commands, most of them about the run to start or to define."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from sparktest.kube.script import escape_dollars
from sparktest.times import parse_time

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
PROGRAM_KEY = f"{__name__}.program"


def parse_pairs(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Return `KEY=VALUE` arguments as a mapping; the last value of a key wins."""
    for value in values:
        if not value.partition("=")[0] or "=" not in value:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE")
    return dict(value.split("=", 1) for value in values)


def time_from_now(
    sign: int,
) -> Callable[[click.Context, click.Parameter, str | None], datetime | None]:
    """Return the callback that parses a time, or a duration such as `90s`, `15m`, `2h`, `7d`.

    Args:
        sign: -1 for a duration before now, 1 for one from now on.
    """

    def parse(context: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
        if text is None:
            return None
        match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
        try:
            at = (
                datetime.now(UTC) + sign * timedelta(**{UNITS[match[2]]: int(match[1])})
                if match
                else parse_time(text)
            )
        except OverflowError:
            at = None
        if at is None:
            raise click.BadParameter(
                f"{text!r} is not a time such as 15m, 2h, 7d or 2026-01-31T08:00Z"
            )
        return at

    return parse


class WholeNumber(click.IntRange):
    """A whole number within limits, with messages in plain English."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or fail with the limit that it breaks."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if self.min is not None and number < self.min:
            self.fail(f"must be at least {self.min}", param, ctx)
        if self.max is not None and number > self.max:
            self.fail(f"must be at most {self.max}", param, ctx)
        return number


PORT = WholeNumber(0, 65535)


def without_empty(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}


env_option = click.option(
    "-e",
    "--env",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_pairs,
    help="An environment variable of the test; repeatable.",
)
label_option = click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    callback=parse_pairs,
    help="A label of the run; repeatable.",
)
commands_option = click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="TEXT",
    help="A shell command. Repeatable: each runs only if the one before succeeded.",
)
timeout_option = click.option(
    "--timeout",
    type=WholeNumber(1),
    metavar="SECONDS",
    help="Stop the run when it takes longer than this.",
)
file_type = click.Path(path_type=Path)
manifests_option = click.option(
    "-f",
    "--filename",
    "filenames",
    type=file_type,
    metavar="FILE",
    multiple=True,
    help="A file or folder of TestRuns, Jobs, CronJobs and Pods; - is stdin. Repeatable.",
)
wait_option = click.option(
    "--wait", is_flag=True, help="Wait for the end; the exit code is the outcome."
)
follow_option = click.option(
    "--follow", is_flag=True, help="Like --wait, and print the log on stdout."
)
tail_option = click.option(
    "--tail", type=WholeNumber(0), metavar="LINES", help="Print only the last lines."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the request, and send nothing."
)


def container_option(completer: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return the option -c, whose values the completer offers."""
    return click.option(
        "-c",
        "--container",
        metavar="NAME",
        help="A container of the run; default: the one that runs the test.",
        shell_complete=completer,
    )


class RunCommand(click.Command):
    """A command that takes a program after `--`; `program_args` returns it.

    click itself treats words after `--` like those before it, so it would take a program for the
    name of a definition.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments before `--`; keep those after it."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[PROGRAM_KEY] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


def program_args(commands: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words after `--` of the current command, each `$` escaped for Kubernetes.

    Kubernetes would expand `$$` and `$(NAME)`; the program gets the words as they were typed.

    Raises:
        UsageError: there are shell commands too.
    """
    found: tuple[str, ...] = click.get_current_context().meta[PROGRAM_KEY]
    if found and commands:
        raise click.UsageError("Give --command or a program after --, not both.")
    return tuple(map(escape_dollars, found))


def image_name(image: str) -> str:
    """Return the last part of an image's name, without tag and digest."""
    return image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]
