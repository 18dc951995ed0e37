"""Values on stdout: tables, JSON, YAML, ids, and labelled fields."""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import click
import msgspec
import yaml

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

FORMATS = ("table", "wide", "json", "yaml", "name")
MAX_WIDTH = 48
ELLIPSIS = "…"
NO_VALUE = "-"
GAP = "   "
# The longest of the usual labels, so that consecutive blocks of fields are aligned.
LABEL_WIDTH = len("stored log")


class Column(NamedTuple, Generic[T]):
    """A column of a table.

    Attributes:
        title: the heading.
        text: the text for a value; None or "" is shown as a dash.
        wide: shown with `-o wide` only.
        colour: the colour for a value, None for none.
        min_width: cells that a narrow terminal leaves the column; 0: it is never cut.
        is_id: cut to `min_width` at once and without an ellipsis, so that it can be copied.
    """

    title: str
    text: Callable[[T], str | None]
    wide: bool = False
    colour: Callable[[T], str | None] = lambda value: None
    min_width: int = 0
    is_id: bool = False


def output_option(default: str = "table") -> Callable[[Any], Any]:
    """Return the option -o of a command that prints values."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default=default,
        show_default=True,
        help="wide: every column; name: ids only.",
    )


def show(
    values: Sequence[S], columns: Sequence[Column[S]], output: str, *, one: bool = False
) -> None:
    """Print the values in the order given, in an output format.

    JSON and YAML are a list, or the object itself when it is about `one`.
    """
    if output in ("json", "yaml"):
        show_document(plain(values[0] if one else values), output)
    elif output == "name":
        for value in values:
            click.echo(plain(value)["id"])
    else:
        show_table(values, columns, output)


def show_table(
    values: Sequence[T], columns: Sequence[Column[T]], output: str, widths: Sequence[int] = ()
) -> list[int]:
    """Print a table, or more lines of the table with these widths; return the widths in cells."""
    wide = output == "wide"
    shown = [column for column in columns if wide or not column.wide]
    titles = [column.title for column in shown]
    rows = [[_cell(column.text(value), cut_long=not wide) for column in shown] for value in values]
    fitted = [max(map(width, cells)) for cells in zip(titles, *rows, strict=True)]
    if widths:
        fitted = list(map(max, fitted, widths))
    if on_terminal() and not wide:
        fitted = fit(fitted, shown, shutil.get_terminal_size().columns)
    lines = [] if widths else [_line(titles, fitted, shown)]
    for value, row in zip(values, rows, strict=True):
        lines.append(_line(row, fitted, shown, [column.colour(value) for column in shown]))
    for line in lines:
        click.echo(line, color=coloured())
    return fitted


def fit(widths: Sequence[int], columns: Sequence[Column[T]], line_width: int) -> list[int]:
    """Return widths such that a line fits, or as near to it as the minimum widths allow.

    The widest column that may be cut is cut first.
    """
    fitted = list(widths)
    gaps = len(GAP) * (len(fitted) - 1)
    while sum(fitted) + gaps > line_width:
        cuttable = [at for at, column in enumerate(columns) if 0 < column.min_width < fitted[at]]
        if not cuttable:
            break
        widest = max(cuttable, key=fitted.__getitem__)
        column = columns[widest]
        fitted[widest] = column.min_width if column.is_id else fitted[widest] - 1
    return fitted


def show_document(document: Any, output: str) -> None:
    """Print JSON or YAML."""
    if output == "yaml":
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)
        click.echo(text, nl=False)
    else:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def field_lines(
    fields: Sequence[tuple[str, str | None]], colours: Mapping[str, str | None] | None = None
) -> list[str]:
    """Return the text lines of labels and values, aligned; fields without a value are left out.

    `colours`: the colour of a label's value.
    """
    label_width = max(LABEL_WIDTH, *(len(label) for label, _ in fields))
    lines: list[str] = []
    for label, value in fields:
        colour = (colours or {}).get(label)
        for index, line in enumerate((value or "").splitlines()):
            text = click.style(line, fg=colour) if colour else line
            lines.append(f"{'' if index else label:<{label_width}}   {text}")
    return lines


def coloured() -> bool:
    """Return True when stdout gets colours: on a terminal, unless the environment decides."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return on_terminal() and os.environ.get("TERM") != "dumb"


def on_terminal() -> bool:
    """Return True when stdout is a terminal; a program may also have no stdout at all."""
    return sys.stdout is not None and sys.stdout.isatty()


def plain(value: Any) -> Any:
    """Return the value as decoded JSON with its wire names, including defaults and nulls."""
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return {name: plain(getattr(value, field)) for name, field in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return msgspec.to_builtins(value)


def width(text: str) -> int:
    """Return the number of terminal cells that the text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, cells: int, mark: str = ELLIPSIS) -> str:
    """Return the text, cut to this many cells; a text that was cut ends with the mark."""
    if width(text) <= cells:
        return text
    left = cells - width(mark)
    for at, letter in enumerate(text):
        left -= _cells(letter)
        if left < 0:
            return text[:at] + mark
    return text


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _cell(text: str | None, *, cut_long: bool) -> str:
    """Return the text on one line, cut to `MAX_WIDTH` cells if `cut_long`."""
    line = " ".join((text or "").split()) or NO_VALUE
    return cut(line, MAX_WIDTH) if cut_long else line


def _line(
    cells: Sequence[str],
    widths: Sequence[int],
    columns: Sequence[Column[T]],
    colours: Sequence[str | None] = (),
) -> str:
    shown = [
        cut(cell, size, "" if column.is_id else ELLIPSIS)
        for cell, size, column in zip(cells, widths, columns, strict=True)
    ]
    padded = [cell + " " * (size - width(cell)) for cell, size in zip(shown, widths, strict=True)]
    padded[-1] = shown[-1]
    for index, colour in enumerate(colours):
        if colour:
            padded[index] = click.style(padded[index], fg=colour)
    return GAP.join(padded)
