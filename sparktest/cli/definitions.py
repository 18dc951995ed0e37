"""Commands about definitions."""

from datetime import UTC, datetime
from typing import Any

import click

from sparktest.cli import options, start
from sparktest.cli.completion import DEFINITION, EXECUTOR
from sparktest.cli.lookup import find
from sparktest.cli.output import Column
from sparktest.cli.references import Reference
from sparktest.cli.resources import Body, Kind, add_commands
from sparktest.client import ApiClient
from sparktest.domain import Definition
from sparktest.kube.fields import text
from sparktest.kube.pod_template import test_container
from sparktest.times import format_age

FIELD_OPTIONS = (
    click.option("--name", metavar="NAME", help="The name of the definition."),
    click.option("--image", metavar="IMAGE", help="The image that its runs use."),
    click.option(
        "--executor",
        metavar="EXECUTOR",
        help="The executor, which gives what the definition leaves out.",
        shell_complete=EXECUTOR,
    ),
    options.commands_option,
    options.env_option,
    options.timeout_option,
    click.option("--description", metavar="TEXT", help="What the test is for."),
    click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="TEXT",
        help="A label of the definition; repeatable.",
    ),
)


@click.group("definitions")
def definitions() -> None:
    """Manage and run definitions."""


def definition_columns(client: ApiClient) -> list[Column[Definition]]:
    """Return the columns of a table of definitions, with ages until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda definition: definition.id, min_width=8, is_id=True),
        Column("NAME", lambda definition: definition.name, min_width=8),
        Column("IMAGE", _image, min_width=8),
        Column("AGE", lambda definition: format_age(now - definition.created_at)),
        Column("COMMANDS", _commands, wide=True),
        Column("LABELS", lambda definition: ",".join(definition.labels), wide=True),
        Column("DESCRIPTION", lambda definition: definition.description, wide=True),
    ]


def _fields(
    client: ApiClient,
    *,
    executor: str | None,
    timeout: int | None,
    commands: tuple[str, ...],
    labels: tuple[str, ...],
    **fields: Any,
) -> Body:
    return options.without_empty(
        executorId=find(client.executors, executor, "executor").id if executor else None,
        commands=list(commands),
        timeoutSeconds=timeout,
        labels=list(labels),
        **fields,
    )


def _complete(client: ApiClient, body: Body, *, new: bool) -> Body:
    if new and not any(map(body.get, ("image", "executorId", "template"))):
        raise click.UsageError(
            "Give --image IMAGE, --executor EXECUTOR, or a file with image, template or executorId."
        )
    if not new and "commands" in body and not {"command", "args"} & set(body):
        # A definition has either shell commands or a program.
        return body | {"command": None, "args": None}
    return body


def _image(definition: Definition) -> str:
    return definition.image or text(test_container(definition.template) or {}, "image")


def _commands(definition: Definition) -> str:
    return "; ".join(definition.commands or (*definition.command, *definition.args))


KIND = Kind(
    noun="definition",
    calls=lambda client: client.definitions,
    columns=definition_columns,
    completer=DEFINITION,
    field_options=FIELD_OPTIONS,
    fields=_fields,
    complete=_complete,
    references=(Reference("executor", "executorId", "executor", lambda client: client.executors),),
    kept="their runs are kept",
)
add_commands(definitions, KIND)
definitions.add_command(start.run)
