"""LogPane: the log of one run, read in a thread while the run goes on."""

import os
import re
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static
from textual.worker import Worker, WorkerState, get_current_worker

from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import GoneError, NotFoundError, SparkTestError, UnavailableError
from sparktest.sanitize import StreamCleaner, clean_text
from sparktest.tui import facts, text
from sparktest.tui.widgets.log_view import LogView

AGAIN_SECONDS = 2.0


class LogPane(Vertical):
    """The log of a run under a line that says what it is.

    Args:
        api: where the log is read.
        run: the run; `show` tells the pane what becomes of it.
    """

    class Read(Message):
        """More of the log: whole lines, and the one that has not ended."""

        def __init__(self, whole: str, pending: str) -> None:
            super().__init__()
            self.whole = whole
            self.pending = pending

    class Ended(Message):
        """The reading is over: the log is, or `error` cut it."""

        def __init__(self, error: SparkTestError | None) -> None:
            super().__init__()
            self.error = error

    class Saved(Message):
        """The log was saved to `path`, or could not be: `error`."""

        def __init__(self, path: Path, error: str | None) -> None:
            super().__init__()
            self.path = path
            self.error = error

    def __init__(self, api: ApiClient, run: Run) -> None:
        super().__init__()
        self._api = api
        self._run = run
        # Both belong to the one worker that reads.
        self._cleaner = StreamCleaner()
        self._received = 0
        self._trouble = ""
        self._heading = Static(id="log-title")
        self._title = ""
        self._search_for = Input(placeholder="search the log", compact=True, id="log-search")
        self._view = LogView(id="log")

    def compose(self) -> ComposeResult:
        """The line over the log, the search, the log."""
        yield self._heading
        yield self._search_for
        yield self._view

    def on_mount(self) -> None:
        """Begin to read."""
        self._view.focus()
        self._search_for.display = False
        self._retitle()
        self._read()

    def show(self, run: Run) -> None:
        """Say what became of the run."""
        self._run = run
        self._retitle()

    # --- reading ---------------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="log", exit_on_error=False)
    def _read(self) -> None:
        worker, skip, error = get_current_worker(), self._received, None
        try:
            for chunk in self._api.follow_log(self._run.id):
                if worker.is_cancelled:
                    return
                # A second reading begins at the first byte again.
                fresh, skip = chunk[skip:], max(skip - len(chunk), 0)
                self._received += len(fresh)
                if fresh:
                    whole = self._cleaner.feed(fresh)
                    self.post_message(self.Read(whole, self._cleaner.pending))
        except SparkTestError as raised:
            error = raised
        if not worker.is_cancelled:
            self.post_message(self.Ended(error))

    @on(Read)
    def _append(self, message: Read) -> None:
        message.stop()
        self._trouble = ""
        self._view.append(message.whole, message.pending)

    @on(Ended)
    def _end(self, message: Ended) -> None:
        message.stop()
        gone = isinstance(message.error, NotFoundError | GoneError)
        self._trouble = f"stopped: {clean_text(message.error.detail)}" if message.error else ""
        if not gone and (message.error or not self._run.status.final):
            self.set_timer(AGAIN_SECONDS, self._read)
        self._retitle()

    @on(Worker.StateChanged)
    def _failed(self, message: Worker.StateChanged) -> None:
        """A fault of the reader's own cuts the log as one of the API does."""
        if message.state is WorkerState.ERROR and message.worker.group == "log":
            fault = type(message.worker.error).__name__
            self.post_message(self.Ended(UnavailableError(f"{fault} in the reader")))

    # --- searching and saving --------------------------------------------------------------------

    @on(LogView.Asked)
    def _answer(self, message: LogView.Asked) -> None:
        message.stop()
        if message.wish == "find":
            self._search_for.display = True
            self._search_for.value = self._view.searched
            self.screen.set_focus(self._search_for)
        else:
            self._save(self._view.log_lines.text())

    @on(Input.Submitted)
    def _search(self, message: Input.Submitted) -> None:
        message.stop()
        self._view.search(message.value)
        self.close_search()

    def close_search(self) -> bool:
        """Whether the search was open; it is closed now."""
        was_open, self._search_for.display = self._search_for.display, False
        self.screen.set_focus(self._view)
        return was_open

    @work(thread=True, exclusive=True, group="save", exit_on_error=False)
    def _save(self, text: str) -> None:
        path, error = Path(f"{_file_name(self._run)}.log"), None
        try:
            path = write_new(path.absolute(), text)
        except OSError as raised:
            error = raised.strerror or type(raised).__name__
        self.post_message(self.Saved(path, error))

    # --- the line over the log -------------------------------------------------------------------

    @on(LogView.Changed)
    def _retitle(self) -> None:
        view = self._view
        count = len(view.log_lines)
        if view.when_empty != (empty := self._trouble or facts.empty_log(self._run)):
            view.when_empty = empty
            view.refresh()
        said = [f"{count:,} line{'' if count == 1 else 's'}", facts.log(self._run), self._trouble]
        if view.following and not self._run.status.final:
            said.append("following")
        if view.wrapped:
            said.append("wrapped")
        if view.searched:
            said.append(f"“{view.searched}” {view.match + 1} of {len(view.matches)}")
        title = " · ".join(filter(None, said))
        if title != self._title:
            self._title = title
            self._heading.update(Content.assemble(("Log  ", "bold"), (title, text.QUIET)))


def write_new(path: Path, text: str) -> Path:
    """The path of the new file that holds the text, readable by its owner only.

    It is `path`, or where that is taken the same with a number. OSError where it cannot be written.
    """
    for number in range(1000):
        candidate = path.with_stem(f"{path.stem}-{number}") if number else path
        try:
            # A new file, so that nobody else can have opened or linked it before.
            handle = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return candidate
    raise FileExistsError(17, "a thousand logs of this run are here already")


def _file_name(run: Run) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "-", run.job_name or run.id)[:100].strip("-") or "log"
