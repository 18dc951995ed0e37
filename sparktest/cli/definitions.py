"""Commands about definitions: list, get, create, update, edit, delete, run."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from sparktest.cli import options, start
from sparktest.cli.completion import DEFINITION
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.lookup import find_definition
from sparktest.cli.manifests.files import parse_object, read_object
from sparktest.cli.manifests.reading import check_template
from sparktest.cli.output import Column, output_option, plain, show
from sparktest.client import ApiClient
from sparktest.domain import Definition
from sparktest.kube.fields import text
from sparktest.kube.pod_template import test_container
from sparktest.times import format_age

# Set by the API.
READ_ONLY = ("id", "createdAt", "version")
HEAD = """\
# The definition {name} ({id}).
# Lines that begin with # are ignored. To remove a field, delete it.
# An empty or unchanged file changes nothing.
"""


@click.group("definitions")
def definitions() -> None:
    """Manage and run definitions."""


def definition_columns() -> list[Column[Definition]]:
    """Return the columns of a table of definitions, with ages until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda definition: definition.id, min_width=8, is_id=True),
        Column("NAME", lambda definition: definition.name, min_width=8),
        Column("IMAGE", _image, min_width=8),
        Column("AGE", lambda definition: format_age((now - definition.created_at).total_seconds())),
        Column("COMMANDS", _commands, wide=True),
        Column("LABELS", lambda definition: ",".join(definition.labels), wide=True),
        Column("DESCRIPTION", lambda definition: definition.description, wide=True),
    ]


def fields_options(command: Any) -> Any:
    """Add the options for the fields of a definition, in the order of the help."""
    for option in reversed(
        (
            click.option("--name", metavar="NAME", help="The name of the definition."),
            click.option("--image", metavar="IMAGE", help="The image that its runs use."),
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
    ):
        command = option(command)
    return command


@definitions.command("list")
@click.option("-q", "--query", metavar="TEXT", help="Only definitions whose name contains TEXT.")
@output_option()
@uses_api
def list_(client: ApiClient, query: str | None, output: str) -> None:
    """List definitions, newest first."""
    show(client.definitions.list(q=query), definition_columns(), output)


@definitions.command("get")
@click.argument(
    "references", metavar="DEFINITION...", nargs=-1, required=True, shell_complete=DEFINITION
)
@output_option()
@uses_api
def get(client: ApiClient, references: tuple[str, ...], output: str) -> None:
    """List definitions by id, the beginning of an id, or name."""
    named = [find_definition(client, reference) for reference in references]
    show(named, definition_columns(), output, one=len(named) == 1)


@definitions.command("show")
@click.argument("reference", metavar="DEFINITION", shell_complete=DEFINITION)
@output_option("yaml")
@uses_api
def show_definition(client: ApiClient, reference: str, output: str) -> None:
    """Show all fields of a definition."""
    show([find_definition(client, reference)], definition_columns(), output, one=True)


@definitions.command("create")
@click.option(
    "-f",
    "--filename",
    type=options.file_type,
    metavar="FILE",
    help="The definition as YAML or JSON, with the field names of the REST API; - is stdin.",
)
@fields_options
@output_option("name")
@uses_api
def create(client: ApiClient, filename: Path | None, output: str, **fields: Any) -> None:
    """Create a definition from a file, from options, or both, and print its id."""
    body = _read_fields(filename) | _option_fields(**fields)
    if not any(map(body.get, ("image", "executorId", "template"))):
        raise click.UsageError("Give --image IMAGE, or a file with image, template or executorId.")
    made = client.definitions.create(body)
    show([made], definition_columns(), output, one=True)


@definitions.command("update")
@click.argument("reference", metavar="DEFINITION", shell_complete=DEFINITION)
@click.option(
    "-f",
    "--filename",
    type=options.file_type,
    metavar="FILE",
    help="Fields to change, as YAML or JSON; null removes a field. - is stdin.",
)
@fields_options
@output_option("name")
@uses_api
def update(
    client: ApiClient, reference: str, filename: Path | None, output: str, **fields: Any
) -> None:
    """Change some fields of a definition.

    Variables are merged by name; lists are replaced.
    """
    change = _read_fields(filename) | _option_fields(**fields)
    if not change:
        raise click.UsageError("Give at least one field to change.")
    if "commands" in change and not {"command", "args"} & set(change):
        # A definition has either shell commands or a program.
        change |= {"command": None, "args": None}
    made = client.definitions.patch(find_definition(client, reference).id, change)
    show([made], definition_columns(), output, one=True)


@definitions.command("edit")
@click.argument("reference", metavar="DEFINITION", shell_complete=DEFINITION)
@uses_api
def edit(client: ApiClient, reference: str) -> None:
    """Change a definition in your editor (VISUAL, EDITOR).

    Fails without changing anything when somebody else has changed it in the meantime.
    """
    definition = find_definition(client, reference)
    fields = {name: value for name, value in plain(definition).items() if name not in READ_ONLY}
    document = HEAD.format(
        name=" ".join(definition.name.split()), id=definition.id
    ) + yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000)
    try:
        changed = click.edit(document, extension=".yaml") or ""
    except (click.ClickException, ValueError) as error:
        raise ExitError(f"the editor failed: {error}; nothing was changed", Exit.INFRA) from error
    lines = [line for line in changed.splitlines() if not line.lstrip().startswith("#")]
    if changed == document or not any(map(str.strip, lines)):
        warn(f"{definition.name} ({definition.id}) is not changed")
        return
    body = parse_object(changed, "the edited definition")
    if body.get("template"):
        check_template(body["template"])
    client.definitions.replace(definition.id, _drop_empty(body), version=definition.version)
    warn(f"{definition.name} ({definition.id}) is changed")


@definitions.command("delete")
@click.argument(
    "references", metavar="DEFINITION...", nargs=-1, required=True, shell_complete=DEFINITION
)
@uses_api
def delete(client: ApiClient, references: tuple[str, ...]) -> None:
    """Delete definitions; their runs are kept."""
    for definition in [find_definition(client, reference) for reference in references]:
        client.definitions.delete(definition.id)
        warn(f"{definition.name} ({definition.id}) is deleted")


definitions.add_command(start.run)


def _read_fields(filename: Path | None) -> dict[str, Any]:
    body = read_object(filename) if filename else {}
    if body.get("template"):
        check_template(body["template"])
    # The output of `show` can be created again, without a warning for each of these fields.
    return {name: value for name, value in body.items() if name not in READ_ONLY}


def _option_fields(
    *, timeout: int | None, commands: tuple[str, ...], labels: tuple[str, ...], **fields: Any
) -> dict[str, Any]:
    return options.without_empty(
        commands=list(commands), timeoutSeconds=timeout, labels=list(labels), **fields
    )


def _drop_empty(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value not in (None, [], {}, "")}


def _image(definition: Definition) -> str:
    return definition.image or text(test_container(definition.template) or {}, "image")


def _commands(definition: Definition) -> str:
    return "; ".join(definition.commands or (*definition.command, *definition.args))
