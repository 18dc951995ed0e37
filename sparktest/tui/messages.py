"""What screens ask the app for, and what its workers tell it."""

from textual.message import Message

from sparktest.domain import Run, RunPage
from sparktest.errors import SparkTestError
from sparktest.tui.feed import Ask


class TextAsked(Message):
    """The person wants this text in the clipboard."""

    def __init__(self, label: str, text: str) -> None:
        super().__init__()
        self.label = label
        self.text = text


class Fetched(Message):
    """A page of runs came."""

    def __init__(self, ask: Ask, page: RunPage) -> None:
        super().__init__()
        self.ask = ask
        self.page = page


class NotFetched(Message):
    """A page of runs did not come."""

    def __init__(self, error: SparkTestError) -> None:
        super().__init__()
        self.error = error


class RunKnown(Message):
    """The API answered with this run; `note` tells the person, "" for nothing."""

    def __init__(self, run: Run, note: str = "") -> None:
        super().__init__()
        self.run = run
        self.note = note


class RunGone(Message):
    """The API has no such run any more; `note` tells the person."""

    def __init__(self, run_id: str, note: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.note = note


class Refused(Message):
    """The API did not do what was asked."""

    def __init__(self, what: str, error: SparkTestError) -> None:
        super().__init__()
        self.what = what
        self.error = error


class Copied(Message):
    """The text is in the clipboard by these ways; none: it is not."""

    def __init__(self, label: str, text: str, took: list[str]) -> None:
        super().__init__()
        self.label = label
        self.text = text
        self.took = took
