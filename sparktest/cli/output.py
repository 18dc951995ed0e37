"""Values as a table, JSON, YAML or ids on stdout."""

import json
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    import msgspec

T = TypeVar("T", bound="msgspec.Struct")

FORMATS = ("table", "wide", "json", "yaml", "name")
LONGEST = 48
ELLIPSIS = "…"
NOTHING = "-"

output_option = click.option(
    "-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True,
    help="wide: every column; name: ids only.",
)  # fmt: skip


class Column(NamedTuple, Generic[T]):
    """A column of a table: what it says of a value, and in which colour."""

    title: str
    text: Callable[[T], str | None]
    wide: bool = False
    colour: Callable[[T], str | None] = lambda value: None


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
        wide = output == "wide"
        chosen = [column for column in columns if wide or not column.wide]
        _show_table(values, chosen, 0 if wide else LONGEST)


def show_document(document: Any, output: str) -> None:
    """Print JSON or YAML."""
    if output == "yaml":
        import yaml

        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)
        click.echo(text, nl=False)
    else:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))


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


def _show_table(values: Sequence[T], columns: Sequence[Column[T]], longest: int) -> None:
    rows = [[_cell(column.text(value), longest) for column in columns] for value in values]
    titles = [column.title for column in columns]
    widths = [max(map(_width, cells)) for cells in zip(titles, *rows, strict=True)]
    click.echo(_line(titles, widths))
    for value, row in zip(values, rows, strict=True):
        colours = [column.colour(value) for column in columns]
        click.echo(_line(row, widths, colours), color=False if os.environ.get("NO_COLOR") else None)


def _line(cells: Sequence[str], widths: Sequence[int], colours: Sequence[str | None] = ()) -> str:
    padded = [
        cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)
    ]
    padded[-1] = cells[-1]
    for index, colour in enumerate(colours):
        if colour:
            padded[index] = click.style(padded[index], fg=colour)
    return "   ".join(padded)


def _cell(text: str | None, longest: int) -> str:
    """The text on one line, cut where there is a longest."""
    line = " ".join((text or "").split()) or NOTHING
    return line[: longest - 1] + ELLIPSIS if longest and len(line) > longest else line


def _width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))
