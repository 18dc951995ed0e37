"""Dialog: the base class of modal screens."""

from typing import Any, TypeVar

from textual import events
from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A modal screen that ignores every dismiss after the first.

    Two keys typed in quick succession may both dismiss it, and Textual's dismiss raises
    InvalidStateError the second time.
    """

    CSS_PATH = "dialog.tcss"
    # The rows around the part that scrolls: border, padding, title.
    fixed_rows = 6
    _dismissed = False

    def on_resize(self, event: events.Resize) -> None:
        """Limit the height of the part that scrolls; CSS cannot, in a box of automatic height."""
        for widget in self.query(".dialog-text, .dialog OptionList"):
            widget.styles.max_height = max(event.size.height * 9 // 10 - self.fixed_rows, 1)

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with this result, unless already closed."""
        if self._dismissed:
            return AwaitComplete()
        self._dismissed = True
        return super().dismiss(result)
