"""Heading: the titles over the columns of the list of runs."""

from textual.content import Content
from textual.widget import Widget

from sparktest.tui import columns, text
from sparktest.tui.widgets.run_list import MARGIN, room


class Heading(Widget):
    """The titles of the columns that the list has at this width."""

    def render(self) -> Content:
        """The titles, each over its column."""
        cells = room(self.size.width)
        titles = (
            column.title.rjust(column.width)
            if column.field in ("duration", "age")
            else text.fit(column.title, column.width)
            for column in columns.plan(cells)
        )
        return Content(" " * MARGIN + (" " * columns.gap(cells)).join(titles))
