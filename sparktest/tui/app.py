"""SparkTestApp: the terminal UI of one API, and `run`, which starts it."""

import os
import signal
import sys
import tempfile
import traceback
from asyncio import get_running_loop
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from rich.text import Text
from textual import events, on, work
from textual.app import SystemCommand
from textual.dom import DOMNode
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

from sparktest import kubectl
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import GoneError, NotFoundError, SparkTestError
from sparktest.sanitize import clean, clean_text
from sparktest.settings import Settings
from sparktest.tui import actions, clipboard, text, theme
from sparktest.tui.messages import ActionFailed, Copied, CopyRequested, RunDeleted, RunUpdated
from sparktest.tui.polling import Clock, LiveScreen, PollingApp
from sparktest.tui.screens.confirm import ConfirmScreen, Question, cancel_question, delete_question
from sparktest.tui.screens.copy_menu import Choice, CopyScreen, TextScreen
from sparktest.tui.screens.help import HelpScreen
from sparktest.tui.screens.run import RunScreen
from sparktest.tui.screens.runs import RunsScreen
from sparktest.tui.widgets.log_pane import LogPane
from sparktest.tui.widgets.log_view import LogView
from sparktest.tui.widgets.run_list import RunList
from sparktest.tui.widgets.static import CommandLine

NO_TERMINAL = "sparktest tui needs a terminal; `sparktest runs` prints the list\n"
USAGE = 2
MAX_TOAST = 160


class SparkTestApp(PollingApp):
    """The terminal UI of one API.

    Args:
        api: the API; its client removes control characters from every text.
        address: the host and port of the API, to show.
        clusters: the clusters that kubectl commands can name.
        environ: the environment that describes the terminal; None: that of the process.
    """

    # Absolute: Textual resolves a relative path from the module of the subclass.
    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS: ClassVar = [*actions.bindings(actions.EVERYWHERE)]

    def __init__(
        self,
        api: ApiClient,
        *,
        address: str = "",
        clusters: kubectl.Clusters = kubectl.NO_CLUSTERS,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(api, clock or Clock())
        self._address = address
        self._clusters = clusters
        self._environ = os.environ if environ is None else environ

    def on_mount(self) -> None:
        """Show the empty list and start polling."""
        # Restore the terminal on SIGTERM too.
        get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.register_theme(theme.DARK)
        self.theme = theme.default_theme(self.console.color_system)
        self.push_screen(RunsScreen(address=self._address, target=self._clusters.default))
        self.start_polling()

    # --- one run ---------------------------------------------------------------------------------

    @on(RunList.Opened)
    def _open(self, message: RunList.Opened) -> None:
        self.push_screen(RunScreen(self._api, message.run, clusters=self._clusters))
        self._call("read", message.run)

    @property
    def _selected_run(self) -> Run | None:
        return self.screen.selected_run if isinstance(self.screen, LiveScreen) else None

    def action_cancel(self) -> None:
        """Cancel the selected run once the user has confirmed."""
        if (run := self._selected_run) is not None:
            self._confirm("cancel", run, cancel_question(run))

    def action_delete(self) -> None:
        """Delete the selected run once the user has confirmed."""
        if (run := self._selected_run) is not None:
            self._confirm("delete", run, delete_question(run, self._clusters))

    def _confirm(self, verb: str, run: Run, question: Question | str) -> None:
        """Ask, then act on this run, even if the cursor has moved to another one."""
        if isinstance(question, str):
            self.notify(question, severity="warning")
            return

        def act(confirmed: bool | None) -> None:
            if confirmed:
                self._call(verb, run)

        self.push_screen(ConfirmScreen(question), act)

    @work(thread=True, group="calls", exit_on_error=False)
    def _call(self, verb: str, run: Run) -> None:
        """Read, cancel or delete the run in a worker thread."""
        name = text.one_line(run.name)
        try:
            if verb == "cancel":
                updated = self._api.cancel_run(run.id)
                self.post_message(RunUpdated(updated, f"{name} is being cancelled"))
            elif verb == "delete":
                notice = f"{name} was deleted"
                if self._api.delete_run(run.id):
                    # Not the API's command: it does not know which context leads to the cluster.
                    command = kubectl.delete(run, target=self._clusters.target(run))
                    notice += f"\nThe TestRun still exists: {command}"
                self.post_message(RunDeleted(run.id, notice))
            else:
                self.post_message(RunUpdated(self._api.get_run(run.id)))
        except (NotFoundError, GoneError):
            self.post_message(RunDeleted(run.id, f"{name} was already deleted"))
        except SparkTestError as error:
            self.post_message(ActionFailed(f"{name}: {verb} failed", error))

    @on(RunUpdated)
    def _run_updated(self, message: RunUpdated) -> None:
        self.store.apply([message.run])
        self.sync()
        self.notify(message.notice)

    @on(RunDeleted)
    def _run_deleted(self, message: RunDeleted) -> None:
        self.store.remove([message.run_id])
        self.sync()
        self.notify(message.notice, severity="warning")

    @on(ActionFailed)
    def _action_failed(self, message: ActionFailed) -> None:
        self.notify(f"{message.summary}\n{message.error.detail}", severity="error")

    # --- the clipboard ---------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Copy the focused command, or open the copy menu."""
        if isinstance(self.focused, CommandLine):
            self.focused.action_copy()
        elif (run := self._selected_run) is not None:
            self.push_screen(CopyScreen(run, clusters=self._clusters), self._copy_choice)

    def _copy_choice(self, choice: Choice) -> None:
        if choice is not None:
            self._copy(CopyRequested(*choice))

    @on(CopyRequested)
    def _copy(self, message: CopyRequested) -> None:
        methods = clipboard.methods_for(self._environ, len(message.text.encode()))
        if methods.osc52:
            self.copy_to_clipboard(message.text)
        self._run_copy_programs(methods, message.label, message.text)

    @work(thread=True, group="clipboard", exit_on_error=False)
    def _run_copy_programs(
        self, methods: clipboard.ClipboardMethods, label: str, text: str
    ) -> None:
        self.post_message(Copied(label, text, clipboard.copy(methods, text)))

    @on(Copied)
    def _copied(self, message: Copied) -> None:
        if message.methods:
            methods = " and ".join(message.methods)
            self.notify(f"Copied {message.label} through {methods}\n{message.text}")
        else:
            self.push_screen(TextScreen(message.label, message.text))

    @on(LogPane.Saved)
    def _saved(self, message: LogPane.Saved) -> None:
        if message.error:
            self.notify(f"The log was not saved: {message.error}\n{message.path}", severity="error")
        else:
            self.notify(f"Saved the log to {message.path}")

    # --- everywhere ------------------------------------------------------------------------------

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a message, cut and without markup, as a toast; ignore an empty one."""
        if message:
            safe = text.cut(clean_text(message), MAX_TOAST)
            super().notify(safe, title=title, severity=severity, timeout=timeout, markup=False)

    def on_key(self, event: events.Key) -> None:
        """Insert a character into the search that was typed while it was opening.

        The list got the key and let it bubble; left alone, it would run one of the app's actions.
        A focused input never lets a printable key bubble.
        """
        if isinstance(self.focused, Input) and event.is_printable and event.character:
            event.prevent_default()
            self.focused.insert_text_at_cursor(event.character)

    def action_help_quit(self) -> None:
        """Show how to quit: Textual binds Ctrl-C to this, and its own text contains markup."""
        # A search takes the q.
        key = "ctrl+q" if isinstance(self.focused, Input) else "q"
        self.notify(f"Press {key} to quit")

    def action_help(self) -> None:
        """Show the help."""
        self.push_screen(HelpScreen())

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """Yield the entries of the command palette on this screen."""
        groups: list[tuple[DOMNode, tuple[actions.Action, ...]]] = [(self, actions.EVERYWHERE)]
        if isinstance(screen, RunsScreen):
            groups[:0] = [(screen, actions.RUNS), (screen.query_one(RunList), actions.LIST)]
        elif isinstance(screen, RunScreen):
            groups[:0] = [(screen, actions.RUN), (screen.query_one(LogView), actions.LOG)]
        for owner, group in groups:
            for each in group:
                if each.palette:
                    call = partial(self.run_action, each.action, owner)
                    yield SystemCommand(each.help, f"key {each.shown_as}", call)
        yield SystemCommand(
            "Choose a theme", "dark, light, or the terminal's colours", self.search_themes
        )

    def _fatal_error(self) -> None:
        # Textual would print a traceback with the values of all variables, including the token.
        error = self._exception or RuntimeError("unknown")
        self.panic(Text(crash_report(error)))


def run(settings: Settings) -> int:
    """Run the terminal UI and return its exit code; 2 without a terminal."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not all(stream is not None and stream.isatty() for stream in streams):
        sys.stderr.write(NO_TERMINAL)
        return USAGE
    clusters = kubectl.known_clusters(settings)
    with ApiClient.from_settings(settings, clean=clean) as api:
        app = SparkTestApp(api, address=_address(settings.backend_url), clusters=clusters)
        app.run()
        return app.return_code or 0


def crash_report(error: BaseException) -> str:
    """Write a traceback without values (one may be a token) and return the line to print."""
    handle, path = tempfile.mkstemp(prefix="sparktest-tui-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.writelines(traceback.format_exception(error))
    return f"sparktest tui crashed ({type(error).__name__}). Please report it and attach {path}"


def _address(url: str) -> str:
    # The URL may contain a password.
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
