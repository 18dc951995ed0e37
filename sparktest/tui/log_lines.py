"""LogLines: the lines of a log, wrapped into rows and searched. Pure."""

import re
from bisect import bisect_right
from itertools import accumulate, chain
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size

# Longer lines are cut on the screen; a saved log has them in full.
MAX_LINE_LENGTH = 20_000
TAB_SIZE = 8


class Match(NamedTuple):
    """A match: the line number, and the start and end in the displayed line."""

    line: int
    start: int
    end: int


class LogLines:
    """The complete lines and the pending (unfinished) last one, optionally wrapped."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pending = ""
        self.widest = 0
        self._wrap_width: int | None = None
        # While wrapping: the number of rows up to and including each line.
        self._ends: list[int] = []

    def __len__(self) -> int:
        """Return the number of lines, the pending one included."""
        return len(self.lines) + bool(self.pending)

    def add(self, complete: str, pending: str = "") -> None:
        """Add complete lines, each with its newline, and replace the pending line."""
        added = complete.split("\n")[:-1]
        self.lines += added
        self.pending = pending
        self.widest = max(self.widest, max(map(_cells, [*added, pending])))
        self._count_rows(len(self.lines) - len(added))

    def line(self, number: int) -> str:
        """Return a line as displayed: tabs expanded, cut at MAX_LINE_LENGTH characters."""
        line = self.lines[number] if number < len(self.lines) else self.pending
        shown = line if len(line) <= MAX_LINE_LENGTH else f"{line[:MAX_LINE_LENGTH]} …"
        return shown.expandtabs(TAB_SIZE) if "\t" in shown else shown

    def last_line(self) -> str:
        """Return the last non-blank line, "" when there is none."""
        lines = chain([self.pending], reversed(self.lines))
        return next((line.strip() for line in lines if line.strip()), "")

    def text(self) -> str:
        """Return the whole log."""
        return "".join(f"{line}\n" for line in self.lines) + self.pending

    # --- wrapping --------------------------------------------------------------------------------

    def wrap(self, width: int | None) -> None:
        """Wrap lines at this width in cells; None: no wrapping, each line is one row."""
        if width != self._wrap_width:
            self._wrap_width = width
            self._ends = []
            self._count_rows(0)

    @property
    def rows(self) -> int:
        """The number of rows that the lines take."""
        if self._wrap_width is None:
            return len(self)
        last = len(self._parts(self.pending)) if self.pending else 0
        return (self._ends[-1] if self._ends else 0) + last

    def row(self, number: int) -> tuple[int, int, str]:
        """Return the line number of a row, the offset of the row in that line, and its text."""
        if self._wrap_width is None:
            return number, 0, self.line(number)
        line = bisect_right(self._ends, number)
        parts = self._parts(self.line(line))
        part = number - (self._ends[line - 1] if line else 0)
        return line, sum(map(len, parts[:part])), parts[part]

    def row_of(self, line: int, at: int = 0) -> int:
        """Return the row that shows the character `at` of this line."""
        if self._wrap_width is None:
            return line
        first = self._ends[line - 1] if line else 0
        seen = 0
        for part, chunk in enumerate(self._parts(self.line(line))):
            seen += len(chunk)
            if at < seen:
                return first + part
        return first

    # --- searching -------------------------------------------------------------------------------

    def find(self, pattern: re.Pattern[str], start: int = 0) -> list[Match]:
        """Return every match in the displayed log, starting at the line `start`."""
        return [
            Match(number, *found.span())
            for number in range(start, len(self))
            for found in pattern.finditer(self.line(number))
        ]

    def _count_rows(self, start: int) -> None:
        if self._wrap_width is None:
            return
        base = self._ends[start - 1] if start else 0
        counts = (len(self._parts(self.line(number))) for number in range(start, len(self.lines)))
        self._ends[start:] = list(accumulate(counts, initial=base))[1:]

    def _parts(self, line: str) -> list[str]:
        width = self._wrap_width or 1
        if line.isascii():
            return [line[at : at + width] for at in range(0, len(line), width)] or [""]
        return _chop(line, width)


def search_pattern(words: str) -> re.Pattern[str]:
    """Return a pattern that matches exactly these words, ignoring case."""
    return re.compile(re.escape(words), re.IGNORECASE)


def _chop(line: str, width: int) -> list[str]:
    """Split a line into parts of at most `width` cells.

    Unlike rich.cells.chop_cells, keep the characters of zero width.
    """
    parts, start, used = [], 0, 0
    for at, character in enumerate(line):
        cells = get_character_cell_size(character)
        if used + cells > width and at > start:
            parts.append(line[start:at])
            start, used = at, 0
        used += cells
    return [*parts, line[start:]]


def _cells(line: str) -> int:
    shown = line[:MAX_LINE_LENGTH]
    if "\t" in shown:
        shown = shown.expandtabs(TAB_SIZE)
    return len(shown) if shown.isascii() else cell_len(shown)
