"""The command apply: create or update objects from files, by name."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
import yaml

from sparktest.cli import options
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.manifests.fields import path_text
from sparktest.cli.manifests.files import Document, read_documents
from sparktest.cli.manifests.reading import template_problems
from sparktest.cli.output import coloured
from sparktest.client import ApiClient
from sparktest.domain_apply import Action, Applied
from sparktest.errors import FieldError, InvalidError

API_VERSION = "sparktest.dev/v1alpha1"
KINDS = ("Executor", "Definition", "Suite", "Schedule")
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def apply_command(kind: str) -> click.Command:
    """Return the command of the group of a kind; documents without a kind are of this one."""

    @click.command(
        "apply",
        help="Create or update what files describe, by name.\n\n"
        "A document has a kind (Executor, Definition, Suite, Schedule), a name, and the fields of "
        f"the REST API, with names instead of ids. Without a kind it is a {kind}. All documents "
        "are stored, or none if one is wrong.",
    )
    @click.option(
        "-f",
        "--filename",
        "filenames",
        type=options.file_type,
        metavar="FILE",
        multiple=True,
        required=True,
        help="A file or folder of documents, as YAML or JSON; - is stdin. Repeatable.",
    )
    @click.option("--dry-run", is_flag=True, help="Show what would change, and store nothing.")
    @click.option("--diff", is_flag=True, help="Show what changes.")
    @uses_api
    def command(client: ApiClient, filenames: tuple[Path, ...], dry_run: bool, diff: bool) -> None:
        documents = read_objects(filenames, kind)
        try:
            result = client.apply([each.content for each in documents], dry_run=dry_run)
        except InvalidError as error:
            if not error.errors:
                raise
            _fail([place_error(documents, each) for each in error.errors])
        for applied in result.applied:
            note = " (dry run)" if dry_run else ""
            click.echo(f"{applied.kind.lower()}/{applied.name} {applied.action.value}{note}")
            if dry_run or diff:
                for line in diff_lines(applied):
                    click.echo(line, color=coloured())

    return command


def read_objects(paths: Sequence[Path], kind: str) -> list[Document]:
    """Return the documents of files and folders, each with its kind.

    A list of objects counts as its objects, as `list -o yaml` prints them.

    Raises:
        UsageError: a path cannot be read.
        ExitError: a document is no object, or has a wrong kind or template; every problem is
            printed.
    """
    documents = [each for read in read_documents(paths) for each in _items(read)]
    problems: list[str] = []
    found: list[Document] = []
    for place, content in documents:
        problems += [f"{place}: {problem}" for problem in _problems(content, kind)]
        if isinstance(content, dict):
            found.append(Document(place, {"kind": kind, **content}))
    if problems:
        _fail(problems)
    return found


def place_error(documents: Sequence[Document], error: FieldError) -> str:
    """Return an error of the API with the file and the path instead of the pointer."""
    _, _, number, *path = [*error["pointer"].split("/"), "", ""]
    if not number.isdigit() or int(number) >= len(documents):
        return error["detail"]
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path if part]
    where = path_text(tuple(int(part) if part.isdigit() else part for part in parts))
    place = documents[int(number)].place
    return f"{place}: {where}: {error['detail']}" if where else f"{place}: {error['detail']}"


def diff_lines(applied: Applied) -> Iterator[str]:
    """Yield the lines of a unified diff from what was stored before, coloured."""
    if applied.action is Action.UNCHANGED:
        return
    before, after = _lines(applied.before), _lines(applied.after)
    lines = difflib.unified_diff(before, after, "before", "after", lineterm="")
    for line in lines:
        yield click.style(line, fg=COLOURS.get(line[:1]))


def _lines(document: dict[str, Any] | None) -> list[str]:
    if document is None:
        return []
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)
    return text.splitlines()


def _items(document: Document) -> Iterator[Document]:
    place, content = document
    if isinstance(content, list):
        for number, item in enumerate(content, start=1):
            yield Document(f"{place}, item {number}", item)
    else:
        yield document


def _problems(content: Any, kind: str) -> list[str]:
    if not isinstance(content, dict):
        return ["must be an object"]
    found = []
    if content.get("apiVersion", API_VERSION) != API_VERSION:
        found.append(f"apiVersion: must be {API_VERSION}")
    named = content.get("kind", kind)
    if named not in KINDS:
        hint = "; run it with: sparktest run -f" if named in ("TestRun", "Job", "CronJob") else ""
        found.append(f"kind: must be one of {', '.join(KINDS)}{hint}")
    if content.get("template"):
        found += template_problems(content["template"])
    return found


def _fail(problems: Sequence[str]) -> NoReturn:
    for problem in problems:
        warn(problem)
    raise ExitError("nothing was stored", Exit.USAGE)
