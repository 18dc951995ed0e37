"""Rows as a table: columns as wide as they need to be, or as a narrow terminal allows. Pure."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import click

T = TypeVar("T")

LONGEST = 48
ELLIPSIS = "…"
NOTHING = "-"
GAP = "   "


class Column(NamedTuple, Generic[T]):
    """A column of a table: what it says of a value, in which colour, and how it may be cut.

    `least`: how many cells a narrow terminal must leave it, 0 for all. `mark`: what ends a text
    that was cut.
    """

    title: str
    text: Callable[[T], str | None]
    wide: bool = False
    colour: Callable[[T], str | None] = lambda value: None
    least: int = 0
    mark: str = ELLIPSIS


def lines(
    values: Sequence[T],
    columns: Sequence[Column[T]],
    *,
    longest: int = 0,
    room: int | None = None,
    widths: Sequence[int] = (),
    title: bool = True,
) -> tuple[list[str], list[int]]:
    """The table with colours, a line a value below the titles; and how wide its columns are.

    Args:
        values: in the order of the lines.
        columns: in their order.
        longest: how many cells a cell has at most, 0 for any number.
        room: how many cells the terminal has in a line; None: any number.
        widths: of a table that this one goes on with.
        title: whether the first line has the titles.
    """
    titles = [column.title for column in columns]
    rows = [
        [_cell(column.text(value), longest, column.mark) for column in columns] for value in values
    ]
    needed = [max(map(width, cells)) for cells in zip(titles, *rows, strict=True)]
    at_least = list(widths) or [0] * len(columns)
    fitted = fit(
        [max(pair) for pair in zip(needed, at_least, strict=True)],
        [column.least for column in columns],
        room,
    )
    told = [_line(titles, fitted, columns)] if title else []
    for value, row in zip(values, rows, strict=True):
        told.append(_line(row, fitted, columns, [column.colour(value) for column in columns]))
    return told, fitted


def fit(widths: Sequence[int], least: Sequence[int], room: int | None) -> list[int]:
    """The widths such that a line fits into the room, or as near to it as `least` allows.

    The widest gives first. A column whose least is 0 gives nothing.
    """
    fitted = list(widths)
    if room is None:
        return fitted
    for _ in range(sum(fitted) + len(GAP) * (len(fitted) - 1) - room):
        giving = [at for at, width_ in enumerate(fitted) if 0 < least[at] < width_]
        if not giving:
            break
        fitted[max(giving, key=fitted.__getitem__)] -= 1
    return fitted


def width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, room: int, mark: str = ELLIPSIS) -> str:
    """The text, or its beginning with the mark where it takes more cells than there is room."""
    if width(text) <= room:
        return text
    left = room - width(mark)
    for at, letter in enumerate(text):
        left -= _cells(letter)
        if left < 0:
            return text[:at] + mark
    return text


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _cell(text: str | None, longest: int, mark: str) -> str:
    """The text on one line, cut where there is a longest."""
    line = " ".join((text or "").split()) or NOTHING
    return cut(line, longest, mark) if longest else line


def _line(
    cells: Sequence[str],
    widths: Sequence[int],
    columns: Sequence[Column[T]],
    colours: Sequence[str | None] = (),
) -> str:
    shown = [
        cut(cell, room, column.mark)
        for cell, room, column in zip(cells, widths, columns, strict=True)
    ]
    padded = [cell + " " * (room - width(cell)) for cell, room in zip(shown, widths, strict=True)]
    padded[-1] = shown[-1]
    for index, colour in enumerate(colours):
        if colour:
            padded[index] = click.style(padded[index], fg=colour)
    return GAP.join(padded)
