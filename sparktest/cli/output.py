"""Values as a table, JSON, YAML or ids on stdout."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sparktest.cli.table import LONGEST, Column, lines

if TYPE_CHECKING:
    import msgspec

T = TypeVar("T", bound="msgspec.Struct")

FORMATS = ("table", "wide", "json", "yaml", "name")


def output_option(default: str = "table") -> Callable[[Any], Any]:
    """The option -o of a command that prints values."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default=default,
        show_default=True,
        help="wide: every column; name: ids only.",
    )


def show(
    values: Sequence[T], columns: Sequence[Column[T]], output: str, *, one: bool = False
) -> None:
    """Print the values in the order given; as a table where the format is one.

    JSON and YAML hold a list, or the object itself where it is about `one`.
    """
    if output in ("json", "yaml"):
        show_document(plain(values[0] if one else values), output)
    elif output == "name":
        for value in values:
            click.echo(plain(value)["id"])
    else:
        show_table(values, columns, output)


def show_table(
    values: Sequence[Any], columns: Sequence[Column[Any]], output: str, widths: Sequence[int] = ()
) -> list[int]:
    """Print a table, or the next lines of the table with these widths; its widths come back."""
    wide = output == "wide"
    told, fitted = lines(
        values,
        [column for column in columns if wide or not column.wide],
        longest=0 if wide else LONGEST,
        room=None if wide else _room(),
        widths=widths,
        title=not widths,
    )
    for line in told:
        click.echo(line, color=coloured())
    return fitted


def show_document(document: Any, output: str) -> None:
    """Print JSON or YAML."""
    if output == "yaml":
        import yaml

        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)
        click.echo(text, nl=False)
    else:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def coloured() -> bool:
    """Whether stdout gets colours: a terminal that has some, or as the environment says."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return on_terminal() and os.environ.get("TERM") != "dumb"


def on_terminal() -> bool:
    """Whether stdout is a terminal; a program may also be started without any stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def plain(value: Any) -> Any:
    """The value as decoded JSON with its names on the wire, defaults and nulls included."""
    import msgspec

    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return {name: plain(getattr(value, field)) for name, field in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return msgspec.to_builtins(value)


def _room() -> int | None:
    """How many cells a line of the terminal has, None where stdout is none."""
    return shutil.get_terminal_size().columns if on_terminal() else None
