"""Commands about executors."""

from datetime import UTC, datetime
from typing import Any

import click

from sparktest.cli import options
from sparktest.cli.completion import EXECUTOR
from sparktest.cli.output import Column
from sparktest.cli.resources import Body, Kind, add_commands
from sparktest.client import ApiClient
from sparktest.domain import Executor
from sparktest.times import format_age

FIELD_OPTIONS = (
    click.option("--name", metavar="NAME", help="The name of the executor."),
    click.option("--image", metavar="IMAGE", help="The image of its definitions."),
    click.option(
        "--default-command", metavar="TEXT", help="The shell command of definitions that have none."
    ),
    options.env_option,
    click.option("--description", metavar="TEXT", help="What kind of tests it runs."),
    click.option(
        "--file-type",
        "file_types",
        multiple=True,
        metavar="TEXT",
        help="A type of files that it runs, such as js; repeatable.",
    ),
)


@click.group("executors")
def executors() -> None:
    """Manage executors, the kinds of test runners."""


def executor_columns(client: ApiClient) -> list[Column[Executor]]:
    """Return the columns of a table of executors, with ages until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda executor: executor.id, min_width=8, is_id=True),
        Column("NAME", lambda executor: executor.name, min_width=8),
        Column("IMAGE", lambda executor: executor.image, min_width=8),
        Column("AGE", lambda executor: format_age(now - executor.created_at)),
        Column("COMMAND", _command, wide=True),
        Column("FILE TYPES", lambda executor: ",".join(executor.supported_file_types), wide=True),
        Column("DESCRIPTION", lambda executor: executor.description, wide=True),
    ]


def _fields(
    client: ApiClient, *, default_command: str | None, file_types: tuple[str, ...], **fields: Any
) -> Body:
    return options.without_empty(
        defaultCommand=default_command, supportedFileTypes=list(file_types), **fields
    )


def _complete(client: ApiClient, body: Body, *, new: bool) -> Body:
    if new and not (body.get("image") or body.get("template")):
        raise click.UsageError("Give --image IMAGE, or a file with image or template.")
    return body


def _command(executor: Executor) -> str:
    return " ".join(executor.command) or executor.default_command


KIND = Kind(
    noun="executor",
    calls=lambda client: client.executors,
    columns=executor_columns,
    completer=EXECUTOR,
    field_options=FIELD_OPTIONS,
    fields=_fields,
    complete=_complete,
)
add_commands(executors, KIND)
