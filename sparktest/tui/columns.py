"""The columns of the list of runs and the texts of their cells. Pure."""

from datetime import datetime
from typing import NamedTuple

from sparktest.domain import Origin, Run
from sparktest.times import format_age
from sparktest.tui import text

WIDTHS = {"status": 11, "origin": 5, "duration": 8, "age": 4}
RIGHT_ALIGNED = ("duration", "age")
BADGE = " CRD "
# Below this width columns are hidden, and the header shows a note.
ALL_COLUMNS = 80
WIDE = 100
MIN_SHARE = 10
# The name gets twice the space of the definition or the namespace, up to a maximum.
SHARES = {"name": 2, "definition": 1, "namespace": 1}
MAX_SHARED = {"name": 80, "definition": 40, "namespace": 30}


class Column(NamedTuple):
    """A column of the list: its field, its title, its width in cells."""

    field: str
    title: str
    width: int


def gap(width: int) -> int:
    """Return the number of blank cells between two columns."""
    return 2 if width >= WIDE else 1


def fit_columns(width: int) -> tuple[Column, ...]:
    """Return the columns that fit in `width` cells with their gaps.

    A narrow terminal drops the namespace first, then definition, age and duration; it always
    keeps status, origin and name.
    """
    fields = ["status", "origin", "name", "definition", "namespace", "duration", "age"]
    for dropped in ("", "namespace", "definition", "age", "duration"):
        fields = [field for field in fields if field != dropped]
        shared = [field for field in fields if field in SHARES]
        gaps = gap(width) * (len(fields) - 1)
        left = width - sum(WIDTHS.get(field, 0) for field in fields) - gaps
        if left >= MIN_SHARE * (len(shared) + 1):
            break
    widths = WIDTHS | _share(shared, max(left, 1))
    titles = {"origin": ""}
    return tuple(Column(field, titles.get(field, field.upper()), widths[field]) for field in fields)


def titles(width: int) -> str:
    """Return the titles of `fit_columns(width)` on one line."""
    cells = (
        column.title.rjust(column.width)
        if column.field in RIGHT_ALIGNED
        else text.fit(column.title, column.width)
        for column in fit_columns(width)
    )
    return (" " * gap(width)).join(cells)


def cells(run: Run, columns: tuple[Column, ...], now: datetime) -> tuple[str, ...]:
    """Return the text of each cell of a run, as wide as its column."""
    return tuple(_cell(run, column, now) for column in columns)


def _share(fields: list[str], width: int) -> dict[str, int]:
    total = sum(SHARES[field] for field in fields)
    widths = {field: min(width * SHARES[field] // total, MAX_SHARED[field]) for field in fields}
    spare = width - sum(widths.values())
    widths["name"] = min(widths["name"] + spare, MAX_SHARED["name"])
    return widths


def _cell(run: Run, column: Column, now: datetime) -> str:
    match column.field:
        case "status":
            style = text.STATUS_STYLES[run.status]
            return text.fit(f"{style.glyph} {style.word}", column.width)
        case "origin":
            return BADGE if run.origin is Origin.CRD else " " * column.width
        case "name":
            return text.fit(text.one_line(run.name), column.width)
        case "definition":
            return text.fit(text.definition(run), column.width)
        case "namespace":
            return text.fit(text.namespace(run), column.width)
        case "duration":
            return text.duration(run, now).rjust(column.width)
        case _:
            return format_age(now - run.created_at).rjust(column.width)
