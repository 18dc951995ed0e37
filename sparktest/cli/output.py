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
        cut_width: cells to cut to when it has to be cut at all; 0: any number.
        mark: what ends a text that was cut.
    """

    title: str
    text: Callable[[T], str | None]
    wide: bool = False
    colour: Callable[[T], str | None] = lambda value: None
    min_width: int = 0
    cut_width: int = 0
    mark: str = ELLIPSIS


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
    values: Sequence[Any], columns: Sequence[Column[Any]], output: str, widths: Sequence[int] = ()
) -> list[int]:
    """Print a table, or more lines of the table with these widths; return the widths in cells."""
    wide = output == "wide"
    lines, fitted = table_lines(
        values,
        [column for column in columns if wide or not column.wide],
        max_width=0 if wide else MAX_WIDTH,
        line_width=None if wide else _terminal_width(),
        widths=widths,
        title=not widths,
    )
    for line in lines:
        click.echo(line, color=coloured())
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


def _terminal_width() -> int | None:
    """Return the width of the terminal in cells; None when stdout is no terminal."""
    return shutil.get_terminal_size().columns if on_terminal() else None


def table_lines(
    values: Sequence[T],
    columns: Sequence[Column[T]],
    *,
    max_width: int = 0,
    line_width: int | None = None,
    widths: Sequence[int] = (),
    title: bool = True,
) -> tuple[list[str], list[int]]:
    """Return the lines of a table, with colours, and the widths of its columns in cells.

    Args:
        values: one line each.
        columns: in their order.
        max_width: of a cell, 0 for any number.
        line_width: of the terminal; None: any number.
        widths: of the table that these lines continue.
        title: put the titles in the first line.
    """
    titles = [column.title for column in columns]
    rows = [
        [_cell(column.text(value), max_width, column.mark) for column in columns]
        for value in values
    ]
    needed = [max(map(width, cells)) for cells in zip(titles, *rows, strict=True)]
    at_least = list(widths) or [0] * len(columns)
    fitted = fit(
        [max(pair) for pair in zip(needed, at_least, strict=True)],
        [column.min_width for column in columns],
        line_width,
        [column.cut_width for column in columns],
    )
    lines = [_line(titles, fitted, columns)] if title else []
    for value, row in zip(values, rows, strict=True):
        lines.append(_line(row, fitted, columns, [column.colour(value) for column in columns]))
    return lines, fitted


def fit(
    widths: Sequence[int],
    min_widths: Sequence[int],
    line_width: int | None,
    cut_widths: Sequence[int] = (),
) -> list[int]:
    """Return widths such that a line fits, or as near to it as `min_widths` allow.

    The widest column is cut first; one whose minimum is 0 is never cut. A column with a cut width
    is cut to that at once.
    """
    fitted = list(widths)
    if line_width is None:
        return fitted
    gaps = len(GAP) * (len(fitted) - 1)
    while sum(fitted) + gaps > line_width:
        cuttable = [at for at, cells in enumerate(fitted) if 0 < min_widths[at] < cells]
        if not cuttable:
            break
        widest = max(cuttable, key=fitted.__getitem__)
        cut_width = cut_widths[widest] if cut_widths else 0
        fitted[widest] = cut_width if 0 < cut_width < fitted[widest] else fitted[widest] - 1
    return fitted


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


def _cell(text: str | None, max_width: int, mark: str) -> str:
    """Return the text on one line, cut to `max_width` cells unless that is 0."""
    line = " ".join((text or "").split()) or NO_VALUE
    return cut(line, max_width, mark) if max_width else line


def _line(
    cells: Sequence[str],
    widths: Sequence[int],
    columns: Sequence[Column[T]],
    colours: Sequence[str | None] = (),
) -> str:
    shown = [
        cut(cell, size, column.mark)
        for cell, size, column in zip(cells, widths, columns, strict=True)
    ]
    padded = [cell + " " * (size - width(cell)) for cell, size in zip(shown, widths, strict=True)]
    padded[-1] = shown[-1]
    for index, colour in enumerate(colours):
        if colour:
            padded[index] = click.style(padded[index], fg=colour)
    return GAP.join(padded)
