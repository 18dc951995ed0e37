"""Which columns the list of runs has in a terminal of some width. Pure."""

from typing import NamedTuple

WIDTHS = {"status": 11, "origin": 5, "duration": 8, "age": 4}
# A terminal narrower than this loses columns, and the header says so.
ALL_COLUMNS = 80
ROOMY = 100
MIN_SHARE = 10
# A name gets twice what a definition or a namespace gets, up to where longer is only emptier.
SHARES = {"name": 2, "definition": 1, "namespace": 1}
MAX_SHARED = {"name": 80, "definition": 40, "namespace": 30}


class Column(NamedTuple):
    """A column of the list: the field it shows, its heading, its width in cells."""

    field: str
    title: str
    width: int


def gap(width: int) -> int:
    """The blank cells between two columns."""
    return 2 if width >= ROOMY else 1


def plan(width: int) -> tuple[Column, ...]:
    """The columns that fit in `width` cells with their gaps.

    What a narrow terminal loses first is the namespace, then the definition, age and duration;
    status, origin and name are always there.
    """
    fields = ["status", "origin", "name", "definition", "namespace", "duration", "age"]
    for dropped in ("", "namespace", "definition", "age", "duration"):
        fields = [field for field in fields if field != dropped]
        shared = [field for field in fields if field in SHARES]
        gaps = gap(width) * (len(fields) - 1)
        room = width - sum(WIDTHS.get(field, 0) for field in fields) - gaps
        if room >= MIN_SHARE * (len(shared) + 1):
            break
    widths = WIDTHS | _shared(shared, max(room, 1))
    titles = {"origin": ""}
    return tuple(Column(field, titles.get(field, field.upper()), widths[field]) for field in fields)


def _shared(fields: list[str], room: int) -> dict[str, int]:
    total = sum(SHARES[field] for field in fields)
    widths = {field: min(room * SHARES[field] // total, MAX_SHARED[field]) for field in fields}
    spare = room - sum(widths.values())
    widths["name"] = min(widths["name"] + spare, MAX_SHARED["name"])
    return widths
