"""LogView: a scrollable log of any length that can be followed, searched and wrapped."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sparktest.tui import actions
from sparktest.tui.log_lines import LogLines, Match, search_pattern

# Always shown: wrapped text would change its width when the scrollbar appeared.
SCROLLBAR = 1


class LogView(ScrollView, can_focus=True):
    """The lines of a log; while `following`, the last line stays visible."""

    BINDINGS: ClassVar = [*actions.bindings(actions.LOG)]
    COMPONENT_CLASSES: ClassVar = {"log-view--match", "log-view--current", "log-view--quiet"}

    class SearchRequested(Message):
        """The user wants to enter a search."""

    class SaveRequested(Message):
        """The user wants to save the log."""

    class Changed(Message):
        """The lines, the search or the mode changed, so the title of the log is out of date."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.log_lines = LogLines()
        self.following = True
        self.wrapped = False
        self.searched = ""
        self.matches: list[Match] = []
        self.match = -1
        self.empty_text = ""

    # --- content and search ----------------------------------------------------------------------

    def clear(self) -> None:
        """Remove all lines and the search, and follow."""
        self.log_lines = LogLines()
        self.log_lines.wrap(self._wrap_width)
        self.following = True
        self.searched, self.matches, self.match = "", [], -1
        self._update_virtual_size()
        self.scroll_to(x=0, y=0, animate=False)
        self.refresh()

    def append(self, complete: str, pending: str) -> None:
        """Append complete lines, and replace the pending line after them."""
        rows_before, known = self.log_lines.rows, len(self.log_lines.lines)
        self.log_lines.add(complete, pending)
        if self.searched:
            self.matches = [match for match in self.matches if match.line < known]
            self.matches += self.log_lines.find(search_pattern(self.searched), known)
        self._update_virtual_size()
        if self.following:
            self._scroll_to_end()
        if rows_before <= self.scroll_offset.y + self.size.height:
            self.refresh()
        self.post_message(self.Changed())

    def search(self, words: str) -> None:
        """Highlight every match, and scroll to the first one at or below the top line."""
        self.searched = words
        self.matches = self.log_lines.find(search_pattern(words)) if words else []
        top = self.log_lines.row(self.scroll_offset.y)[0] if len(self.log_lines) else 0
        below = (number for number, match in enumerate(self.matches) if match.line >= top)
        self.match = next(below, len(self.matches) - 1)
        self._show_match()

    def render_line(self, y: int) -> Strip:
        """Return the strip of the visible line `y`."""
        row, width, style = self.scroll_offset.y + y, self.size.width, self.rich_style
        if y == 0 and not len(self.log_lines):
            quiet = self.get_visual_style("log-view--quiet").rich_style
            return Strip([Segment(self.empty_text, quiet)]).crop_extend(0, width, style)
        if row >= self.log_lines.rows:
            return Strip.blank(width, style)
        line, start, shown = self.log_lines.row(row)
        strip = Strip(self._segments(line, start, shown, style))
        left = self.scroll_offset.x
        return strip.crop_extend(left, left + width, style)

    def _segments(self, line: int, start: int, shown: str, style: Style) -> list[Segment]:
        if not self.searched:
            return [Segment(shown, style)]
        segments, at = [], 0
        current = self.matches[self.match] if 0 <= self.match < len(self.matches) else None
        # Searched in the whole line: a match may continue in the next row.
        for found in search_pattern(self.searched).finditer(self.log_lines.line(line)):
            first, last = (min(max(end - start, at), len(shown)) for end in found.span())
            is_current = current == (line, *found.span())
            name = f"log-view--{'current' if is_current else 'match'}"
            match_style = self.get_visual_style(name).rich_style
            segments += [Segment(shown[at:first], style), Segment(shown[first:last], match_style)]
            at = last
        return [*segments, Segment(shown[at:], style)]

    @property
    def _wrap_width(self) -> int | None:
        return max(self.size.width - SCROLLBAR, 1) if self.wrapped else None

    def _update_virtual_size(self) -> None:
        width = self._wrap_width or max(self.log_lines.widest, 1)
        self.virtual_size = Size(width, self.log_lines.rows)

    def on_resize(self) -> None:
        """Wrap at the new width."""
        self.log_lines.wrap(self._wrap_width)
        self._update_virtual_size()
        if self.following:
            self._scroll_to_end()

    def watch_show_horizontal_scrollbar(self) -> None:
        """Keep the last line visible: the scrollbar takes a row without a resize event."""
        if self.following:
            self._scroll_to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Stop following when the user scrolls up; start again at the end."""
        super().watch_scroll_y(old_value, new_value)
        at_end = new_value >= self.max_scroll_y
        if self.following != at_end and (at_end or new_value < old_value):
            self._set_following(at_end)

    def _set_following(self, on: bool) -> None:
        self.following = on
        self.post_message(self.Changed())

    def _scroll_to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False)

    def _show_match(self) -> None:
        if 0 <= self.match < len(self.matches):
            found = self.matches[self.match]
            row = self.log_lines.row_of(found.line, found.start)
            self._set_following(False)
            self.scroll_to(y=max(row - self.size.height // 2, 0), animate=False)
            if not self.wrapped:
                self._show_column(found)
        self.refresh()
        self.post_message(self.Changed())

    def _show_column(self, found: Match) -> None:
        left, width = self.scroll_offset.x, self.size.width
        if not left <= found.start < left + width:
            self.scroll_to(x=max(found.start - width // 2, 0), animate=False)

    # --- keys ------------------------------------------------------------------------------------

    def action_find(self) -> None:
        """Request the search input."""
        self.post_message(self.SearchRequested())

    def action_save(self) -> None:
        """Request that the log be saved."""
        self.post_message(self.SaveRequested())

    def action_next(self, by: int) -> None:
        """Go `by` matches forward (or back, when negative), around the ends of the log."""
        if self.matches:
            self.match = (self.match + by) % len(self.matches)
            self._show_match()
        else:
            self.search(self.searched)

    def action_follow(self) -> None:
        """Turn following on or off."""
        self._set_following(not self.following)
        if self.following:
            self._scroll_to_end()

    def action_wrap(self) -> None:
        """Turn wrapping on or off; the top line stays in place."""
        rows = self.log_lines
        top = rows.row(self.scroll_offset.y)[0] if len(rows) else 0
        self.wrapped = not self.wrapped
        rows.wrap(self._wrap_width)
        self._update_virtual_size()
        at = self.max_scroll_y if self.following else rows.row_of(top) if len(rows) else 0
        self.scroll_to(x=0, y=at, animate=False)
        self.refresh()
        self.post_message(self.Changed())

    def action_move(self, across: int, down: int) -> None:
        """Scroll by this many cells and rows."""
        self.scroll_to(
            x=self.scroll_offset.x + across, y=self.scroll_offset.y + down, animate=False
        )

    def action_page(self, by: int) -> None:
        """Scroll by this many pages."""
        self.action_move(0, by * max(self.size.height - 1, 1))

    def action_first(self) -> None:
        """Scroll to the first line."""
        self._set_following(False)
        self.scroll_to(y=0, animate=False)

    def action_last(self) -> None:
        """Scroll to the last line, and follow."""
        self._set_following(True)
        self._scroll_to_end()
