"""RunList: the rows of the store, of which only the visible ones that changed are painted."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sparktest.domain import Origin, Run
from sparktest.times import format_age
from sparktest.tui import actions, columns, text
from sparktest.tui.state import Key, RunStore

MARGIN = 1
SCROLLBAR = 1
BADGE = " CRD "
TOOLTIP = "Started from TestRun CRD"


def room(width: int) -> int:
    """The cells for columns in a list of this width, which always has its scrollbar."""
    return width - 2 * MARGIN - SCROLLBAR


class Line(NamedTuple):
    """What one line shows: equal lines look the same, so an equal one is not painted again."""

    cells: tuple[str, ...]
    status: str
    badge: bool
    row_style: str


class RunList(ScrollView, can_focus=True):
    """The list of runs. It shows what the store holds whenever `sync` is called.

    Args:
        store: the runs, the filter and the cursor.
        clock: answers the time, for ages and for the duration of what is running.
    """

    BINDINGS: ClassVar = [*actions.bindings(actions.LIST)]
    COMPONENT_CLASSES: ClassVar = {
        "run-list--cursor",
        "run-list--cursor-blurred",
        "run-list--hover",
        "run-list--badge",
        "run-list--quiet",
        "run-list--name",
        *(f"run-list--{look.style}" for look in text.LOOKS.values()),
    }

    class Opened(Message):
        """The person wants to see this run."""

        def __init__(self, run: Run) -> None:
            super().__init__()
            self.run = run

    def __init__(
        self,
        store: RunStore,
        clock: Callable[[], datetime],
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._store = store
        self._clock = clock
        self._columns: tuple[columns.Column, ...] = ()
        self._styles: dict[tuple[str, ...], Style] = {}
        self._painted: dict[int, Line | None] = {}
        self._hovered = -1
        # Where things were when they were last shown, so that they can stay there.
        self._top: Key | None = None
        self._cursor_at: int | None = None

    def sync(self) -> None:
        """Show the store as it is now: the cursor stays where it was seen, or the top line does."""
        if not self.size.height:
            return
        if self.virtual_size.height != len(self._store):
            self.virtual_size = Size(self.size.width, len(self._store))
        self._keep_place()
        for y in range(self.size.height):
            if self._painted.get(y) != self._line(y):
                self.refresh(Region(0, y, self.size.width, 1))

    # --- painting --------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """The strip of the line `y` of the view."""
        line = self._painted[y] = self._line(y)
        width = self.size.width
        if line is None:
            return Strip.blank(width, self._style(""))
        base = self._style(line.row_style)
        gap = " " * columns.gap(self._room)
        segments = [Segment(" " * MARGIN, base)]
        for column, cell in zip(self._columns, line.cells, strict=True):
            style = self._cell_style(column.field, line)
            # A gap has no ink, so it may be of the style before it, unless that has a background.
            segments += [Segment(cell, style), Segment(gap, base if cell == BADGE else style)]
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
        shown = cells(run, self._columns, now)
        return Line(shown, text.LOOKS[run.status].style, run.origin is Origin.CRD, style)

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

    # --- place -----------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return room(self.size.width)

    def on_resize(self) -> None:
        """Choose the columns anew, and keep the cursor in sight."""
        self._columns = columns.plan(self._room)
        self._painted.clear()
        self.sync()
        self._show_cursor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Remember what is where after every scroll."""
        super().watch_scroll_y(old_value, new_value)
        self._remember()

    def _remember(self) -> None:
        top = self.scroll_offset.y
        self._top = self._store.key_at(top)
        at = self._store.cursor - top
        self._cursor_at = at if 0 <= at < self.size.height else None

    def _keep_place(self) -> None:
        top = self.scroll_offset.y
        if top > 0 and self._cursor_at is not None:
            top = self._store.cursor - self._cursor_at
        elif top > 0 and self._top is not None:
            top = self._store.row_of(self._top)
        followed = self._cursor_at is not None
        self.scroll_to(y=max(top, 0), animate=False)
        if followed:
            self._show_cursor()
        self._remember()

    def _show_cursor(self) -> None:
        cursor, top, height = self._store.cursor, self.scroll_offset.y, self.size.height
        if cursor < 0 or not height:
            return
        if cursor < top:
            self.scroll_to(y=cursor, animate=False)
        elif cursor >= top + height:
            self.scroll_to(y=cursor - height + 1, animate=False)
        self._remember()

    # --- keys and mouse --------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self._go(self._store.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor and the view by so many pages."""
        step = by * max(self.size.height - 1, 1)
        self.scroll_to(y=self.scroll_offset.y + step, animate=False)
        self._go(self._store.cursor + step)

    def action_first(self) -> None:
        """Move the cursor to the newest run."""
        self._go(0)

    def action_last(self) -> None:
        """Move the cursor to the oldest run."""
        self._go(len(self._store) - 1)

    def action_open(self) -> None:
        """Ask for the details of the run under the cursor."""
        if (run := self._store.current) is not None:
            self.post_message(self.Opened(run))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a double click opens it."""
        row = self.scroll_offset.y + event.y
        if row < len(self._store):
            self._go(row)
            if event.chain == 2:
                self.action_open()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Mark the row under the mouse, and say what a badge means."""
        self._hover(self.scroll_offset.y + event.y)
        line = self._line(event.y)
        left = MARGIN + columns.WIDTHS["status"] + columns.gap(self._room)
        on_badge = line is not None and line.badge and left <= event.x < left + len(BADGE)
        if self.tooltip != (tooltip := TOOLTIP if on_badge else None):
            self.tooltip = tooltip

    def on_leave(self) -> None:
        """No row is under the mouse."""
        self._hover(-1)

    def on_focus(self) -> None:
        """Show the cursor as the one that keys move."""
        self._refresh_row(self._store.cursor)

    def on_blur(self) -> None:
        """Show the cursor as one that keys do not move now."""
        self._refresh_row(self._store.cursor)

    def _go(self, row: int) -> None:
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


def cells(run: Run, shown: tuple[columns.Column, ...], now: datetime) -> tuple[str, ...]:
    """The texts of a run, one a column, each as wide as its column."""
    return tuple(_cell(run, column, now) for column in shown)


def _cell(run: Run, column: columns.Column, now: datetime) -> str:
    match column.field:
        case "status":
            look = text.LOOKS[run.status]
            return text.fit(f"{look.glyph} {look.word}", column.width)
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
            return format_age((now - run.created_at).total_seconds()).rjust(column.width)
