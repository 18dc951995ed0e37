"""Messages between widgets, screens, workers and the app."""

from dataclasses import dataclass

from textual.message import Message

from sparktest.domain import Run, RunPage
from sparktest.errors import SparkTestError
from sparktest.run_poller import PageRequest


@dataclass
class CopyRequested(Message):
    """The user wants this text in the clipboard."""

    label: str
    text: str


@dataclass
class Copied(Message):
    """The text was copied by these methods; an empty list means that none worked."""

    label: str
    text: str
    methods: list[str]


@dataclass
class Fetched(Message):
    """A page of runs arrived."""

    request: PageRequest
    page: RunPage


@dataclass
class FetchFailed(Message):
    """A page of runs could not be read."""

    error: SparkTestError


@dataclass
class RunUpdated(Message):
    """The API returned this version of a run; `notice` is shown as a toast unless it is empty."""

    run: Run
    notice: str = ""


@dataclass
class RunDeleted(Message):
    """The run no longer exists in the API; `notice` is shown as a toast."""

    run_id: str
    notice: str


@dataclass
class ActionFailed(Message):
    """An action of the user failed; `summary` names it."""

    summary: str
    error: SparkTestError
