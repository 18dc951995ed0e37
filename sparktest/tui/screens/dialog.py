"""Dialog: the base class of modal screens."""

from typing import Any, TypeVar

from textual import events
from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A modal screen that can be dismissed more than once; the first result counts.

    Two keys typed before the first one is handled may both dismiss it, and Textual's own dismiss
    raises InvalidStateError the second time.
    """

    CSS_PATH = "dialog.tcss"
    # The rows of a dialog beside the part that scrolls: border, padding, title.
    FIXED_ROWS = 6

    def __init__(self) -> None:
        super().__init__()
        self.fixed_rows = self.FIXED_ROWS
        self._dismissed = False

    def on_resize(self, event: events.Resize) -> None:
        """Limit the part that scrolls; in CSS, 1fr is no limit in a box of automatic height."""
        for widget in self.query(".dialog-text, .dialog OptionList"):
            widget.styles.max_height = max(event.size.height * 9 // 10 - self.fixed_rows, 1)

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with this result, unless it is closed already."""
        if self._dismissed:
            return AwaitComplete()
        self._dismissed = True
        return super().dismiss(result)
