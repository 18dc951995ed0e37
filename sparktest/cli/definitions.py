"""Commands about definitions: list, get, create, delete."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparktest.cli.door import say, uses_api
from sparktest.cli.output import Column, output_option, show
from sparktest.cli.references import find_definition
from sparktest.cli.start import commands_option, env_option, timeout_option
from sparktest.spans import age

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Definition


@click.group("definitions")
def definitions() -> None:
    """List, show, create and delete definitions."""


def columns() -> list[Column["Definition"]]:
    """The columns of a table of definitions, with ages until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda definition: definition.id),
        Column("NAME", lambda definition: definition.name),
        Column("IMAGE", lambda definition: definition.image),
        Column("AGE", lambda definition: age((now - definition.created_at).total_seconds())),
        Column("COMMANDS", _commands, wide=True),
        Column("DESCRIPTION", lambda definition: definition.description, wide=True),
    ]


@definitions.command("list")
@click.option("-q", "--query", metavar="TEXT", help="A part of the name.")
@output_option
@uses_api
def list_(client: "ApiClient", query: str | None, output: str) -> None:
    """List definitions, newest first."""
    show(client.list_definitions(q=query), columns(), output)


@definitions.command("get")
@click.argument("references", metavar="DEFINITION...", nargs=-1, required=True)
@output_option
@uses_api
def get(client: "ApiClient", references: tuple[str, ...], output: str) -> None:
    """Show definitions by id, the beginning of an id, or name."""
    named = [find_definition(client, reference) for reference in references]
    show(named, columns(), output, one=len(named) == 1)


@definitions.command("create")
@click.option(
    "-f", "--filename", type=click.Path(path_type=Path), metavar="FILE",
    help="The definition as YAML or JSON, by the names of the REST API; - is stdin.",
)  # fmt: skip
@click.option("--name", metavar="NAME")
@click.option("--image", metavar="IMAGE")
@commands_option
@env_option
@timeout_option
@click.option("--description", metavar="TEXT")
@click.option("--label", "labels", multiple=True, metavar="TEXT", help="Repeatable.")
@uses_api
def create(
    client: "ApiClient",
    filename: Path | None,
    commands: tuple[str, ...],
    timeout: int | None,
    labels: tuple[str, ...],
    **fields: Any,
) -> None:
    """Create a definition from a file, from options, or both, and print its id."""
    from sparktest.cli.manifests import of_file

    body = of_file(filename) if filename else {}
    given = fields | {
        "commands": list(commands), "timeoutSeconds": timeout, "labels": list(labels)
    }  # fmt: skip
    body |= {name: value for name, value in given.items() if value}
    click.echo(client.create_definition(body).id)


@definitions.command("delete")
@click.argument("references", metavar="DEFINITION...", nargs=-1, required=True)
@uses_api
def delete(client: "ApiClient", references: tuple[str, ...]) -> None:
    """Delete definitions; their runs stay as they are."""
    for reference in references:
        definition = find_definition(client, reference)
        client.delete_definition(definition.id)
        say(f"{definition.name} ({definition.id}) is deleted")


def _commands(definition: "Definition") -> str:
    return "; ".join(definition.commands or (*definition.command, *definition.args))
