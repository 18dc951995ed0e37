"""RunList: the list of runs; it repaints only visible lines that changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from sparktest.domain import Origin, Run
from sparktest.tui import actions, columns, text
from sparktest.tui.state import Key, RunStore

MARGIN = 1
SCROLLBAR = 1


def columns_width(width: int) -> int:
    """Return the width of the columns in a list of this width, which always has a scrollbar."""
    return width - 2 * MARGIN - SCROLLBAR


class Line(NamedTuple):
    """The content of a visible line; it is painted again only when this changes."""

    cells: tuple[str, ...]
    status: str
    badge: bool
    row_style: str


class RunList(ScrollView, can_focus=True):
    """The list of runs; `sync` updates it from the store.

    Args:
        store: the runs, the filter and the cursor.
        clock: returns the current time, for ages and durations.
    """

    BINDINGS: ClassVar = [*actions.bindings(actions.LIST)]
    COMPONENT_CLASSES: ClassVar = {
        "run-list--cursor",
        "run-list--cursor-blurred",
        "run-list--hover",
        "run-list--badge",
        "run-list--quiet",
        "run-list--name",
        *(f"run-list--{status.css_name}" for status in text.STATUS_STYLES.values()),
    }

    @dataclass
    class Opened(Message):
        """The user opened this run."""

        run: Run

    def __init__(self, store: RunStore, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._store = store
        self._clock = clock
        self._columns: tuple[columns.Column, ...] = ()
        self._styles: dict[tuple[str, ...], Style] = {}
        self._painted: dict[int, Line | None] = {}
        self._hovered = -1
        # The run on the top line, and the cursor's line (None: scrolled out of view).
        self._top: Key | None = None
        self._cursor_line: int | None = None

    def sync(self) -> None:
        """Update from the store; the visible cursor, else the top line, keeps its place."""
        if not self.size.height:
            return
        if self.virtual_size.height != len(self._store):
            self.virtual_size = Size(self.size.width, len(self._store))
        self._restore_position()
        for y in range(self.size.height):
            if self._painted.get(y) != self._line(y):
                self.refresh(Region(0, y, self.size.width, 1))

    # --- painting --------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Return the strip of the visible line `y`."""
        line = self._painted[y] = self._line(y)
        width = self.size.width
        if line is None:
            return Strip.blank(width, self._style(""))
        base = self._style(line.row_style)
        gap = " " * columns.gap(self._columns_width)
        segments = [Segment(" " * MARGIN, base)]
        for column, cell in zip(self._columns, line.cells, strict=True):
            style = self._cell_style(column.field, line)
            # A gap in the style of its cell saves a segment; the badge has a background.
            gap_style = base if cell == columns.BADGE else style
            segments += [Segment(cell, style), Segment(gap, gap_style)]
        return Strip(segments).adjust_cell_length(width, base).simplify()

    def notify_style_update(self) -> None:
        """Forget the styles when the theme or the focus changes."""
        super().notify_style_update()
        self._styles.clear()

    def _line(self, y: int) -> Line | None:
        row = self.scroll_offset.y + y
        if row >= len(self._store):
            return None
        run, now = self._store.at(row), self._clock()
        style = "hover" if row == self._hovered else ""
        if row == self._store.cursor:
            style = "cursor" if self.has_focus else "cursor-blurred"
        shown = columns.cells(run, self._columns, now)
        return Line(shown, text.STATUS_STYLES[run.status].css_name, run.origin is Origin.CRD, style)

    def _cell_style(self, field: str, line: Line) -> Style:
        match field:
            case "status":
                return self._style(line.row_style, line.status)
            case "origin" if line.badge:
                return self._style(line.row_style, "badge")
            case "name":
                return self._style(line.row_style, "name")
            case _:
                return self._style(line.row_style, "quiet")

    def _style(self, *names: str) -> Style:
        style = self._styles.get(names)
        if style is None:
            classes = [f"run-list--{name}" for name in names if name]
            style = self._styles[names] = self.get_visual_style(*classes).rich_style
        return style

    # --- position --------------------------------------------------------------------------------

    @property
    def _columns_width(self) -> int:
        return columns_width(self.size.width)

    def on_resize(self) -> None:
        """Fit the columns to the width, and keep the cursor visible."""
        self._columns = columns.fit_columns(self._columns_width)
        self._painted.clear()
        self.sync()
        self._show_cursor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Remember the position after every scroll."""
        super().watch_scroll_y(old_value, new_value)
        self._remember_position()

    def _remember_position(self) -> None:
        top = self.scroll_offset.y
        self._top = self._store.key_at(top)
        at = self._store.cursor - top
        self._cursor_line = at if 0 <= at < self.size.height else None

    def _restore_position(self) -> None:
        top = self.scroll_offset.y
        if top > 0 and self._cursor_line is not None:
            top = self._store.cursor - self._cursor_line
        elif top > 0 and self._top is not None:
            top = self._store.row_of(self._top)
        followed = self._cursor_line is not None
        self.scroll_to(y=max(top, 0), animate=False)
        if followed:
            self._show_cursor()
        self._remember_position()

    def _show_cursor(self) -> None:
        cursor, top, height = self._store.cursor, self.scroll_offset.y, self.size.height
        if cursor < 0 or not height:
            return
        if cursor < top:
            self.scroll_to(y=cursor, animate=False)
        elif cursor >= top + height:
            self.scroll_to(y=cursor - height + 1, animate=False)
        self._remember_position()

    # --- keys and mouse --------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor by this many rows."""
        self._move_to(self._store.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor and the view by this many pages."""
        step = by * max(self.size.height - 1, 1)
        self.scroll_to(y=self.scroll_offset.y + step, animate=False)
        self._move_to(self._store.cursor + step)

    def action_first(self) -> None:
        """Move the cursor to the newest run."""
        self._move_to(0)

    def action_last(self) -> None:
        """Move the cursor to the oldest run."""
        self._move_to(len(self._store) - 1)

    def action_open(self) -> None:
        """Request the details of the run under the cursor."""
        if (run := self._store.current) is not None:
            self._store.move_to(self._store.cursor)
            self.post_message(self.Opened(run))

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row; a double click opens its run."""
        row = self.scroll_offset.y + event.y
        if row < len(self._store):
            self._move_to(row)
            if event.chain == 2:
                self.action_open()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Highlight the row under the mouse, and explain the badge in a tooltip."""
        self._hover(self.scroll_offset.y + event.y)
        line = self._line(event.y)
        left = MARGIN + columns.WIDTHS["status"] + columns.gap(self._columns_width)
        on_badge = line is not None and line.badge and left <= event.x < left + len(columns.BADGE)
        if self.tooltip != (tooltip := text.STARTED_FROM if on_badge else None):
            self.tooltip = tooltip

    def on_leave(self) -> None:
        """Highlight no row."""
        self._hover(-1)

    def on_hide(self, event: events.Hide) -> None:
        """Keep the focus while the list is empty and hidden.

        Textual would move it to the hidden search, which would take the keys that follow.
        """
        event.prevent_default()

    def on_focus(self) -> None:
        """Show the cursor as active."""
        self._refresh_row(self._store.cursor)

    def on_blur(self) -> None:
        """Show the cursor as inactive."""
        self._refresh_row(self._store.cursor)

    def _move_to(self, row: int) -> None:
        before = self._store.cursor
        self._store.move_to(row)
        if self._store.cursor != before:
            self._refresh_row(before)
            self._refresh_row(self._store.cursor)
        self._show_cursor()

    def _hover(self, row: int) -> None:
        before, self._hovered = self._hovered, row
        if before != row:
            self._refresh_row(before)
            self._refresh_row(row)

    def _refresh_row(self, row: int) -> None:
        if 0 <= row - self.scroll_offset.y < self.size.height:
            self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))


class RunListHeader(Widget):
    """The titles over the columns of the list."""

    def render(self) -> Content:
        """Return the titles, each over its column."""
        return Content(" " * MARGIN + columns.titles(columns_width(self.size.width)))
