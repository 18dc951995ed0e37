"""Parts of the statements that find runs, for both databases.

Plain text: building SQLAlchemy's expressions costs more than executing them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Sql:
    """A part of a statement, with `?` for its parameters."""

    text: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """Entries of one index that lead to runs.

    Attributes:
        table: the table of the index.
        seq: the column with the number of the run.
        where: which entries.
        index: the name of the index, where SQLite could choose another one.
        ordered: the index returns them by `seq`.
        keys: the columns of the index before `seq`, each of which `where` compares with one value.
    """

    table: str
    seq: str
    where: Sql
    index: str | None = None
    ordered: bool = True
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter.

    Attributes:
        check: a condition on the run `r`, or on the number of a run, `c.seq`.
        branches: together they have all runs of the filter; empty if no index finds them.
        of_run: `check` is a condition on `r`.
    """

    check: Sql
    branches: tuple[Branch, ...] = ()
    of_run: bool = False


class Dialect:
    """What differs between SQLite and PostgreSQL in the statements of lists.

    Both plan by statistics that know nothing about values that exclude each other, so the index is
    prescribed: by its name on SQLite; on PostgreSQL by OFFSET 0, which keeps a subquery from being
    merged with the query around it, and by an order that only this index has.
    """

    def __init__(self, name: str) -> None:
        self.sqlite = name == "sqlite"
        self.fence = "" if self.sqlite else " OFFSET 0"
        # A condition with one parameter, `numbers`, whatever their count.
        self.in_numbers = "IN (SELECT value FROM json_each(?))" if self.sqlite else "= ANY(?)"

    def table(self, branch: Branch) -> str:
        """Return the table of the branch, with its index."""
        pin = f" INDEXED BY {branch.index}" if self.sqlite and branch.index else ""
        return f"{branch.table}{pin}"

    def keys(self, branch: Branch) -> tuple[str, ...]:
        """Return the columns that pin the index; SQLite has its name."""
        return () if self.sqlite else branch.keys

    def order(self, branch: Branch, seq: str, prefix: str = "") -> str:
        """Return the order of an ordered branch, newest first."""
        return ", ".join(f"{prefix}{column} DESC" for column in (*self.keys(branch), seq))

    def time(self, time: datetime) -> Any:
        """Return the time as a parameter."""
        if not self.sqlite:
            return time
        return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")

    def numbers(self, numbers: Sequence[int]) -> Any:
        """Return the parameter of `in_numbers`."""
        return msgspec.json.encode(numbers).decode() if self.sqlite else list(numbers)

    def statement(self, text: str) -> str:
        """Return the statement with the driver's placeholders."""
        return text if self.sqlite else text.replace("%", "%%").replace("?", "%s")


def marks(values: Sequence[Any]) -> str:
    """Return a placeholder for each value."""
    return ", ".join("?" * len(values))


# The filter that no run passes.
NOTHING = Filter(Sql("1 = 0"))
