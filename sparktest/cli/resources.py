"""The commands of every kind of object with a unique name: list, get, create and so on.

A kind says what differs: its columns, its options, and how options become fields.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import click
import yaml

from sparktest.cli import options
from sparktest.cli.apply import apply_command
from sparktest.cli.completion import Completer
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.lookup import N, find
from sparktest.cli.manifests.files import parse_object, read_object
from sparktest.cli.manifests.reading import check_template
from sparktest.cli.output import Column, output_option, plain, show, show_document
from sparktest.cli.references import Reference, with_ids, with_names
from sparktest.client import ApiClient
from sparktest.client_resources import ResourceClient

Body = dict[str, Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# Set by the API.
READ_ONLY = frozenset({"id", "createdAt", "version"})
HEAD = """\
# The {noun} {name} ({id}).
# Lines that begin with # are ignored. To remove a field, delete it.
# An empty or unchanged file changes nothing.
"""


def no_change(client: ApiClient, body: Body, *, new: bool) -> Body:
    """Return the body as it is."""
    return body


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[N]):
    """One kind of object.

    Attributes:
        noun: its name, such as `schedule`.
        calls: the calls of a client about it.
        columns: the columns of a table, with ages until now.
        completer: completes names and ids.
        field_options: the options for its fields, in the order of the help.
        fields: turns the values of these options into fields of a request.
        complete: completes and checks the fields of a new or changed object.
        read_only: the fields that only the API sets.
        references: the fields that refer to other objects.
        kept: what a deletion leaves, for the help.
    """

    noun: str
    calls: Callable[[ApiClient], ResourceClient[N]]
    columns: Callable[[ApiClient], list[Column[N]]]
    completer: Completer
    field_options: Sequence[Callable[[Any], Any]]
    fields: Callable[..., Body]
    complete: Callable[..., Body] = no_change
    read_only: frozenset[str] = READ_ONLY
    references: Sequence[Reference] = ()
    kept: str = ""

    @property
    def a_noun(self) -> str:
        """The name with its article."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"

    @property
    def plural(self) -> str:
        """The name of several."""
        return f"{self.noun}s"

    def find(self, client: ApiClient, reference: str) -> N:
        """Return the object with this id, id prefix, or name; raise ExitError if none."""
        return find(self.calls(client), reference, self.noun)

    def show(
        self, client: ApiClient, values: Sequence[N], output: str, *, one: bool = False
    ) -> None:
        """Print objects in an output format; YAML as it can be applied."""
        if output != "yaml":
            show(values, self.columns(client), output, one=one)
            return
        named = with_names(client, self.references, [plain(value) for value in values])
        documents = [{"kind": self.noun.capitalize(), **each} for each in named]
        show_document(documents[0] if one else documents, output)

    def argument(self, name: str = "reference", *, several: bool = False) -> Decorator:
        """Return the argument that names one object, or several."""
        word = self.noun.upper()
        if not several:
            return click.argument(name, metavar=word, shell_complete=self.completer)
        return click.argument(
            name, metavar=f"{word}...", nargs=-1, required=True, shell_complete=self.completer
        )

    def writable(self, fields: Mapping[str, Any]) -> Body:
        """Return the fields without those that only the API sets."""
        return {name: value for name, value in fields.items() if name not in self.read_only}


def add_commands(group: click.Group, kind: Kind[N]) -> None:
    """Add the commands of the kind to its group."""
    for make in (_list, _get, _show, _create, _update, _edit, _delete):
        group.add_command(make(kind))
    group.add_command(apply_command(kind.noun.capitalize()))


def _list(kind: Kind[N]) -> click.Command:
    @click.command("list", help=f"List {kind.plural}, newest first.")
    @click.option(
        "-q", "--query", metavar="TEXT", help=f"Only {kind.plural} whose name contains TEXT."
    )
    @output_option()
    @uses_api
    def command(client: ApiClient, query: str | None, output: str) -> None:
        kind.show(client, kind.calls(client).list(q=query), output)

    return command


def _get(kind: Kind[N]) -> click.Command:
    @click.command("get", help=f"List {kind.plural} by id, the beginning of an id, or name.")
    @kind.argument("references", several=True)
    @output_option()
    @uses_api
    def command(client: ApiClient, references: tuple[str, ...], output: str) -> None:
        found = [kind.find(client, reference) for reference in references]
        kind.show(client, found, output, one=len(found) == 1)

    return command


def _show(kind: Kind[N]) -> click.Command:
    @click.command("show", help=f"Show all fields of {kind.a_noun}.")
    @kind.argument()
    @output_option("yaml")
    @uses_api
    def command(client: ApiClient, reference: str, output: str) -> None:
        kind.show(client, [kind.find(client, reference)], output, one=True)

    return command


def _create(kind: Kind[N]) -> click.Command:
    @click.command(
        "create",
        short_help=f"Create {kind.a_noun} and print its id.",
        help=f"Create {kind.a_noun} from a file, from options, or both, and print its id.",
    )
    @_file_option(
        f"The {kind.noun} as YAML or JSON, with the field names of the REST API; - is stdin."
    )
    @_field_options(kind)
    @output_option("name")
    @uses_api
    def command(client: ApiClient, filename: Path | None, output: str, **values: Any) -> None:
        fields = _read_fields(client, kind, filename) | kind.fields(client, **values)
        made = kind.calls(client).create(kind.complete(client, fields, new=True))
        kind.show(client, [made], output, one=True)

    return command


def _update(kind: Kind[N]) -> click.Command:
    @click.command(
        "update",
        help=f"Change some fields of {kind.a_noun}.\n\nObjects are merged by key; lists are "
        "replaced.",
    )
    @kind.argument()
    @_file_option("Fields to change, as YAML or JSON; null removes a field. - is stdin.")
    @_field_options(kind)
    @output_option("name")
    @uses_api
    def command(
        client: ApiClient, reference: str, filename: Path | None, output: str, **values: Any
    ) -> None:
        fields = _read_fields(client, kind, filename) | kind.fields(client, **values)
        if not fields:
            raise click.UsageError("Give at least one field to change.")
        body = kind.complete(client, fields, new=False)
        changed = kind.calls(client).patch(kind.find(client, reference).id, body)
        kind.show(client, [changed], output, one=True)

    return command


def _edit(kind: Kind[N]) -> click.Command:
    @click.command(
        "edit",
        help=f"Change {kind.a_noun} in your editor (VISUAL, EDITOR).\n\n"
        "Fails without changing anything when somebody else has changed it in the meantime.",
    )
    @kind.argument()
    @uses_api
    def command(client: ApiClient, reference: str) -> None:
        value = kind.find(client, reference)
        named = f"{value.name} ({value.id})"
        body = _edited(kind, value)
        if body is None:
            warn(f"{named} is not changed")
            return
        kind.calls(client).replace(value.id, body, version=value.version)
        warn(f"{named} is changed")

    return command


def _delete(kind: Kind[N]) -> click.Command:
    kept = f"; {kind.kept}" if kind.kept else ""

    @click.command("delete", help=f"Delete {kind.plural}{kept}.")
    @kind.argument("references", several=True)
    @uses_api
    def command(client: ApiClient, references: tuple[str, ...]) -> None:
        for value in [kind.find(client, reference) for reference in references]:
            kind.calls(client).delete(value.id)
            warn(f"{value.name} ({value.id}) is deleted")

    return command


def _edited(kind: Kind[N], value: N) -> Body | None:
    """Return the fields as the user has edited them; None if they are not changed."""
    head = HEAD.format(noun=kind.noun, name=" ".join(value.name.split()), id=value.id)
    fields = kind.writable(plain(value))
    document = head + yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=10_000)
    try:
        changed = click.edit(document, extension=".yaml") or ""
    except (click.ClickException, ValueError) as error:
        raise ExitError(f"the editor failed: {error}; nothing was changed", Exit.INFRA) from error
    lines = [line for line in changed.splitlines() if not line.lstrip().startswith("#")]
    if changed == document or not any(map(str.strip, lines)):
        return None
    body = parse_object(changed, f"the edited {kind.noun}")
    if body.get("template"):
        check_template(body["template"])
    return drop_empty(body)


def drop_empty(body: Body) -> Body:
    """Return the fields that have a value."""
    return {name: value for name, value in body.items() if value not in (None, [], {}, "")}


def _read_fields(client: ApiClient, kind: Kind[N], filename: Path | None) -> Body:
    body = read_object(filename) if filename else {}
    if body.get("template"):
        check_template(body["template"])
    # The output of `show` can be created again, without a warning for each of these fields.
    return with_ids(client, kind.references, kind.writable(body))


def _file_option(text: str) -> Decorator:
    return click.option("-f", "--filename", type=options.file_type, metavar="FILE", help=text)


def _field_options(kind: Kind[N]) -> Decorator:
    def decorate(command: Any) -> Any:
        for option in reversed(kind.field_options):
            command = option(command)
        return command

    return decorate
