"""LogPane: the log of one run, read by a worker thread."""

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input
from textual.worker import Worker, WorkerState, get_current_worker

from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import GoneError, NotFoundError, SparkTestError, UnavailableError
from sparktest.sanitize import StreamCleaner, clean_text
from sparktest.tui import text
from sparktest.tui.fields import container_text, empty_log_text, log_state
from sparktest.tui.widgets.log_view import LogView
from sparktest.tui.widgets.static import CachedStatic

RETRY_SECONDS = 2.0


class LogSearch(Input):
    """The search of the log; it searches on Enter."""

    BINDINGS: ClassVar = [
        Binding("enter", "submit", "find", key_display="⏎"),
        Binding("escape", "screen.back", "close", key_display="esc"),
    ]


class LogReader:
    """The position in the log of one container; used only by the worker that reads it.

    Args:
        container: the name of the container, None for the one that runs the test.
    """

    def __init__(self, container: str | None = None) -> None:
        self.container = container
        self.cleaner = StreamCleaner()
        self.bytes_read = 0


class LogPane(Vertical):
    """The log of a container of a run under a title line.

    Args:
        api: the API to read the log from.
        run: the run; `show` replaces it with a later version.
    """

    @dataclass
    class Read(Message):
        """More of the log arrived: complete lines, and the pending one."""

        reader: LogReader
        complete: str
        pending: str

    @dataclass
    class Ended(Message):
        """The worker reached the end of the log, or stopped because of `error`."""

        reader: LogReader
        error: SparkTestError | None

    @dataclass
    class Saved(Message):
        """The log was saved to `path`, or could not be because of `error`."""

        path: Path
        error: str | None

    def __init__(self, api: ApiClient, run: Run) -> None:
        super().__init__()
        self._api = api
        self._run = run
        self._reader = LogReader()
        self._test_line = ""
        self._error = ""
        self._title = CachedStatic(id="log-title")
        self._search = LogSearch(placeholder="search the log", compact=True, id="log-search")
        self._view = LogView(id="log")

    def compose(self) -> ComposeResult:
        """Create the title, the search and the log."""
        yield self._title
        yield self._search
        yield self._view

    def on_mount(self) -> None:
        """Start reading the log."""
        self._view.focus()
        self._search.display = False
        self._update_title()
        self._read(self._reader)

    @property
    def last_line(self) -> str:
        """The last line of the test's log that is not blank, "" while there is none."""
        if self._reader.container is None:
            return self._view.log_lines.last_line()
        return self._test_line

    def show_next_container(self) -> None:
        """Show the log of the next container of the run, after the last one that of the test."""
        names = self._run.containers
        if len(names) < 2:
            return
        self._test_line = self.last_line
        shown = names.index(self._reader.container) if self._reader.container in names else 0
        following = (shown + 1) % len(names)
        self._reader = LogReader(names[following] if following else None)
        self._error = ""
        self._view.clear()
        self._update_title()
        self._read(self._reader)

    def show(self, run: Run) -> None:
        """Show this version of the run."""
        self._run = run
        self._update_title()

    # --- reading ---------------------------------------------------------------------------------

    @work(thread=True, exclusive=True, group="log", exit_on_error=False)
    def _read(self, reader: LogReader) -> None:
        worker, error = get_current_worker(), None
        try:
            for chunk in self._api.follow_log(
                self._run.id, container=reader.container, offset=reader.bytes_read
            ):
                if worker.is_cancelled:
                    return
                reader.bytes_read += len(chunk)
                complete = reader.cleaner.feed(chunk)
                self.post_message(self.Read(reader, complete, reader.cleaner.pending))
        except SparkTestError as raised:
            error = raised
        if not worker.is_cancelled:
            self.post_message(self.Ended(reader, error))

    @on(Read)
    def _received(self, message: Read) -> None:
        message.stop()
        if message.reader is self._reader:
            self._error = ""
            self._view.append(message.complete, message.pending)

    @on(Ended)
    def _ended(self, message: Ended) -> None:
        message.stop()
        if message.reader is not self._reader:
            return
        deleted = isinstance(message.error, NotFoundError | GoneError)
        self._error = f"stopped: {clean_text(message.error.detail)}" if message.error else ""
        if not deleted and (message.error or not self._run.status.final):
            self.set_timer(RETRY_SECONDS, partial(self._retry, message.reader))
        self._update_title()

    def _retry(self, reader: LogReader) -> None:
        if reader is self._reader:
            self._read(reader)

    @on(Worker.StateChanged)
    def _worker_failed(self, message: Worker.StateChanged) -> None:
        """Show a bug in the worker as an error of the API."""
        if message.state is WorkerState.ERROR and message.worker.group == "log":
            name = type(message.worker.error).__name__
            self.post_message(
                self.Ended(self._reader, UnavailableError(f"{name} in the log worker"))
            )

    # --- searching and saving --------------------------------------------------------------------

    @on(LogView.SearchRequested)
    def _open_search(self, message: LogView.SearchRequested) -> None:
        message.stop()
        self._search.display = True
        self._search.value = self._view.searched
        self.screen.set_focus(self._search)

    @on(Input.Submitted)
    def _search_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self._view.search(message.value)
        self.close_search()

    def close_search(self) -> bool:
        """Close the search and return whether it was open."""
        was_open, self._search.display = self._search.display, False
        self.screen.set_focus(self._view)
        return was_open

    @on(LogView.SaveRequested)
    def _save_requested(self, message: LogView.SaveRequested) -> None:
        message.stop()
        name = _file_name(self._run, self._reader.container)
        self._save(Path(f"{name}.log"), self._view.log_lines.text())

    @work(thread=True, exclusive=True, group="save", exit_on_error=False)
    def _save(self, path: Path, text: str) -> None:
        error = None
        try:
            path = write_new(path.absolute(), text)
        except OSError as raised:
            error = raised.strerror or type(raised).__name__
        self.post_message(self.Saved(path, error))

    # --- the title -------------------------------------------------------------------------------

    @on(LogView.Changed)
    def _update_title(self) -> None:
        view, container = self._view, self._reader.container
        count = len(view.log_lines)
        if view.empty_text != (empty := self._error or empty_log_text(self._run, container)):
            view.empty_text = empty
            view.refresh()
        state = log_state(self._run, is_empty=not count, container=container)
        lines = f"{count:,} line{'' if count == 1 else 's'}"
        parts = [container_text(self._run, container), lines, state, self._error]
        if view.following and not self._run.status.final:
            parts.append("following")
        if view.wrapped:
            parts.append("wrapped")
        if view.searched:
            parts.append(f"“{view.searched}” {view.match + 1} of {len(view.matches)}")
        title = " · ".join(filter(None, parts))
        self._title.update(Content.assemble(("Log  ", "bold"), (title, text.QUIET)), layout=False)


def write_new(path: Path, text: str) -> Path:
    """Write the text to a new file that only its owner can read, and return its path.

    A number is added to the name of a file that exists. Raises OSError when writing fails.
    """
    for number in range(1000):
        candidate = path.with_stem(f"{path.stem}-{number}") if number else path
        try:
            # O_EXCL: another user may have put a file or a link there.
            handle = os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return candidate
    raise FileExistsError(17, "this run has 1000 saved logs already")


def _file_name(run: Run, container: str | None) -> str:
    name = re.sub(r"[^A-Za-z0-9-]+", "-", run.job_name or run.id)[:100].strip("-") or "log"
    return f"{name}-{re.sub(r'[^a-z0-9-]+', '-', container)}" if container else name
