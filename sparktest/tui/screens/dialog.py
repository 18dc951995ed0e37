"""Dialog: the base class of modal screens."""

from typing import Any, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A modal screen that can be dismissed more than once; the first result counts.

    Two keys typed before the first one is handled may both dismiss it, and Textual's own dismiss
    raises InvalidStateError the second time.
    """

    CSS_PATH = "dialog.tcss"

    def __init__(self) -> None:
        super().__init__()
        self._dismissed = False

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Close with this result, unless it is closed already."""
        if self._dismissed:
            return AwaitComplete()
        self._dismissed = True
        return super().dismiss(result)
