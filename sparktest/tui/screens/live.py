"""LiveScreen: a screen that shows what the store holds."""

from abc import abstractmethod

from textual.screen import Screen


class LiveScreen(Screen[None]):
    """The app calls `sync` when the store changed and every second."""

    @abstractmethod
    def sync(self) -> None:
        """Show what the store holds now."""
