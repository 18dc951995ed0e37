"""Options that say what to run and how: of runs and of definitions."""

from pathlib import Path
from typing import Any

import click

PROGRAM = f"{__name__}.program"


def pairs(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping; the last of a key wins."""
    for value in values:
        if not value.partition("=")[0] or "=" not in value:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE")
    return dict(value.split("=", 1) for value in values)


def given(**fields: Any) -> dict[str, Any]:
    """The fields that somebody gave."""
    return {name: value for name, value in fields.items() if value}


env_option = click.option(
    "-e", "--env", multiple=True, metavar="KEY=VALUE", callback=pairs, help="Repeatable."
)
label_option = click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    callback=pairs,
    help="To find runs by; repeatable.",
)
commands_option = click.option(
    "--command",
    "commands",
    multiple=True,
    metavar="TEXT",
    help="A line for a shell. Repeat it for more: each runs if the one before ended well.",
)
timeout_option = click.option("--timeout", type=click.IntRange(1), metavar="SECONDS")
file_type = click.Path(path_type=Path)
wait_option = click.option(
    "--wait", is_flag=True, help="Until it has ended; the exit code says how."
)
follow_option = click.option("--follow", is_flag=True, help="As --wait, with the log on stdout.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print what would be sent, and send nothing."
)


class RunCommand(click.Command):
    """A command that takes a program behind `--`; `program` has it.

    click itself would make no difference between the words before and behind it, and take the
    name of a definition for a program.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is left of the arguments before `--`."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[PROGRAM] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])


def program(commands: tuple[str, ...]) -> tuple[str, ...]:
    """The words behind `--` of the command that runs now.

    Raises:
        UsageError: there are lines for a shell too.
    """
    found: tuple[str, ...] = click.get_current_context().meta[PROGRAM]
    if found and commands:
        raise click.UsageError("Give --command or a program behind --, not both.")
    return found


def name_of_image(image: str) -> str:
    """The last part of an image's name, without tag and digest."""
    return image.rsplit("/", 1)[-1].split("@")[0].split(":")[0]
