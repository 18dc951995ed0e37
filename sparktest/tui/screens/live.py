"""LiveScreen: a screen that shows what the store holds."""

from abc import abstractmethod

from textual.screen import Screen

from sparktest.domain import Run


class LiveScreen(Screen[None]):
    """The app calls `sync` when the store changed and every second."""

    @property
    @abstractmethod
    def subject(self) -> Run | None:
        """The run that keys are about."""

    @abstractmethod
    def sync(self) -> None:
        """Show what the store holds now."""
