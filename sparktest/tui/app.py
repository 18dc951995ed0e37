"""The app: it alone talks to the API and the clipboard; screens show the store and ask."""

import os
import signal
import sys
from asyncio import get_running_loop
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from rich.text import Text
from textual import events, on, work
from textual.app import SystemCommand
from textual.screen import Screen
from textual.widgets import Input

from sparktest import kubectl
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import GoneError, NotFoundError, SparkTestError
from sparktest.sanitize import clean, clean_text
from sparktest.settings import Settings
from sparktest.tui import actions, clipboard, crash, palette, questions, text, theme
from sparktest.tui.clock import Clock
from sparktest.tui.messages import (
    Copied,
    Refused,
    RunGone,
    RunKnown,
    TextAsked,
)
from sparktest.tui.reading import ReadingApp
from sparktest.tui.screens.confirm import ConfirmScreen
from sparktest.tui.screens.copying import Choice, CopyScreen, TextScreen
from sparktest.tui.screens.help import HelpScreen
from sparktest.tui.screens.live import LiveScreen
from sparktest.tui.screens.run import RunScreen
from sparktest.tui.screens.runs import RunsScreen
from sparktest.tui.threads import DaemonThreads
from sparktest.tui.widgets.command_line import CommandLine
from sparktest.tui.widgets.log_pane import LogPane
from sparktest.tui.widgets.run_list import RunList

NO_TERMINAL = "sparktest tui needs a terminal; `sparktest runs` prints the list\n"
USAGE = 2
MAX_TOAST = 160


class SparkTestApp(ReadingApp):
    """The terminal UI over one API.

    Args:
        api: the API; every text it answers has been made safe to show.
        address: the API as people know it.
        target: the cluster that commands name.
        environ: where the terminal says what it is.
    """

    # Absolute: a subclass elsewhere would look beside itself.
    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS: ClassVar = [*actions.bindings(actions.EVERYWHERE)]

    def __init__(
        self,
        api: ApiClient,
        *,
        address: str = "",
        target: kubectl.Target = kubectl.CURRENT,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(api, clock or Clock())
        self._address = address
        self._kube_target = target
        self._environ = os.environ if environ is None else environ

    def on_mount(self) -> None:
        """Show the list, empty as yet, and begin to read."""
        get_running_loop().set_default_executor(DaemonThreads())
        # Whoever ends the process wants the terminal back as it was.
        get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)
        self.register_theme(theme.DARK)
        self.theme = theme.DARK.name
        self.push_screen(
            RunsScreen(self.store, self.feed, self.clock, self._address, self._kube_target)
        )
        self.read()

    # --- one run ---------------------------------------------------------------------------------

    @on(RunList.Opened)
    def _open(self, message: RunList.Opened) -> None:
        run = message.run
        self.push_screen(
            RunScreen(self._api, run, self.store, self.feed, self.clock, target=self._kube_target)
        )
        self._call("The run", run.id, "")

    @property
    def _subject(self) -> Run | None:
        return self.screen.subject if isinstance(self.screen, LiveScreen) else None

    def action_cancel(self) -> None:
        """Stop the run that the screen is about, after a question."""
        if (run := self._subject) is not None:
            self._confirm(questions.cancel(run), run.id, "cancel")

    def action_delete(self) -> None:
        """Delete the run that the screen is about, after a question."""
        if (run := self._subject) is not None:
            self._confirm(questions.delete(run, self._kube_target), run.id, "delete")

    def _confirm(self, question: questions.Question | str, run_id: str, verb: str) -> None:
        """Ask, and do it to the run with this id, whatever the cursor is on by then."""
        if isinstance(question, str):
            self.say(question, "warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._call(question.facts[0], run_id, verb)

        self.push_screen(ConfirmScreen(question), answered)

    @work(thread=True, group="calls", exit_on_error=False)
    def _call(self, name: str, run_id: str, verb: str) -> None:
        try:
            if verb == "cancel":
                run = self._api.cancel_run(run_id)
                self.post_message(RunKnown(run, f"{name} was asked to stop"))
            elif verb == "delete":
                left = self._api.delete_run(run_id)
                note = f"\nThe TestRun is still there: {clean_text(left)}" if left else ""
                self.post_message(RunGone(run_id, f"{name} was deleted{note}"))
            else:
                self.post_message(RunKnown(self._api.get_run(run_id)))
        except (NotFoundError, GoneError):
            self.post_message(RunGone(run_id, f"{name} had been deleted"))
        except SparkTestError as error:
            self.post_message(Refused(f"{name}: {verb or 'read'} did not work", error))

    @on(RunKnown)
    def _known(self, message: RunKnown) -> None:
        self.store.apply([message.run])
        self.sync()
        self.say(message.note)

    @on(RunGone)
    def _gone(self, message: RunGone) -> None:
        self.store.remove([message.run_id])
        self.sync()
        self.say(message.note, "warning")

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self.say(f"{message.what}\n{message.error.detail}", "error")

    # --- the clipboard ---------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Copy the command in focus, or choose what to copy of the run."""
        if isinstance(self.focused, CommandLine):
            self.focused.action_copy()
        elif (run := self._subject) is not None:
            self.push_screen(CopyScreen(run, target=self._kube_target), self._chosen)

    def _chosen(self, choice: Choice) -> None:
        if choice is not None:
            self._copy(TextAsked(*choice))

    @on(TextAsked)
    def _copy(self, message: TextAsked) -> None:
        found = clipboard.ways(self._environ, len(message.text.encode()))
        if found.osc52:
            self.copy_to_clipboard(message.text)
        self._pipe(found, message.label, message.text)

    @work(thread=True, group="clipboard", exit_on_error=False)
    def _pipe(self, found: clipboard.Ways, label: str, text: str) -> None:
        self.post_message(Copied(label, text, clipboard.copy(found, text)))

    @on(Copied)
    def _copied(self, message: Copied) -> None:
        if message.took:
            self.say(f"Copied {message.label} through {' and '.join(message.took)}\n{message.text}")
        else:
            self.push_screen(TextScreen(message.label, message.text))

    @on(LogPane.Saved)
    def _saved(self, message: LogPane.Saved) -> None:
        if message.error:
            self.say(f"{message.path} cannot be written: {message.error}", "error")
        else:
            self.say(f"Saved the log to {message.path}")

    # --- everywhere ------------------------------------------------------------------------------

    def say(self, words: str, severity: str = "information") -> None:
        """Show a toast; never read as markup, and nothing for no words."""
        if words:
            safe = text.cut(clean_text(words), MAX_TOAST)
            self.notify(safe, severity=severity, markup=False)  # type: ignore[arg-type]

    def on_key(self, event: events.Key) -> None:
        """Put into a search what was typed while it was still opening.

        Such a key was sent to the list and comes back from there; as a key of the list it could
        mean anything. An input never lets a printable one through.
        """
        if isinstance(self.focused, Input) and event.is_printable and event.character:
            event.prevent_default()
            self.focused.insert_text_at_cursor(event.character)

    def action_help(self) -> None:
        """Show every key."""
        self.push_screen(HelpScreen())

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the command palette offers over this screen."""
        return palette.commands(self, screen)

    def _fatal_error(self) -> None:
        # Textual would print a trace with the values of all variables, the token among them.
        error = self._exception or RuntimeError("unknown")
        self.panic(Text(crash.report(error)))


def run(settings: Settings) -> int:
    """The exit code of the terminal UI: 0, or 2 where there is no terminal to show it on."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not all(stream is not None and stream.isatty() for stream in streams):
        sys.stderr.write(NO_TERMINAL)
        return USAGE
    target = kubectl.Target(settings.kubeconfig, settings.context)
    with ApiClient.from_settings(settings, clean=clean) as api:
        app = SparkTestApp(api, address=_address(settings.backend_url), target=target)
        app.run()
        return app.return_code or 0


def _address(url: str) -> str:
    """Host and port, without a password that the URL may hold."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
