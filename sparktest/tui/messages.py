"""Messages between widgets, screens, workers and the app."""

from textual.message import Message

from sparktest.domain import Run, RunPage
from sparktest.errors import SparkTestError
from sparktest.run_poller import PageRequest


class CopyRequested(Message):
    """The user wants this text in the clipboard."""

    def __init__(self, label: str, text: str) -> None:
        super().__init__()
        self.label = label
        self.text = text


class Copied(Message):
    """The text is in the clipboard by these methods; an empty list means that it is not."""

    def __init__(self, label: str, text: str, methods: list[str]) -> None:
        super().__init__()
        self.label = label
        self.text = text
        self.methods = methods


class Fetched(Message):
    """A page of runs arrived."""

    def __init__(self, request: PageRequest, page: RunPage) -> None:
        super().__init__()
        self.request = request
        self.page = page


class FetchFailed(Message):
    """A page of runs could not be read."""

    def __init__(self, error: SparkTestError) -> None:
        super().__init__()
        self.error = error


class RunUpdated(Message):
    """The API returned this version of a run; `notice` is shown to the user, "" for nothing."""

    def __init__(self, run: Run, notice: str = "") -> None:
        super().__init__()
        self.run = run
        self.notice = notice


class RunDeleted(Message):
    """The API has no such run any more; `notice` is shown to the user."""

    def __init__(self, run_id: str, notice: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.notice = notice


class ActionFailed(Message):
    """An action of the user failed; `summary` names it."""

    def __init__(self, summary: str, error: SparkTestError) -> None:
        super().__init__()
        self.summary = summary
        self.error = error
