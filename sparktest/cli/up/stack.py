"""The programs of SparkTest as one stack: started in order, supervised, stopped together."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple, Self

import click
import msgspec

from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.up.preflight import is_reachable
from sparktest.cli.up.processes import (
    MAX_RESTARTS,
    WINDOW_SECONDS,
    ChildProcess,
    ProcessGroup,
    RestartPolicy,
    StopSignals,
)
from sparktest.cli.up.run_changes import RunChanges
from sparktest.cli.up.session import free_port, local_url, new_token
from sparktest.sanitize import clean_text
from sparktest.settings import Settings
from sparktest.user_files import Session, data_folder, session_file

POLL_SECONDS = 0.05
CLUSTER_POLL_SECONDS = 0.2
# In messages; the other names are titles too.
TITLES = {"api": "API", "devcluster": "dev cluster"}


class Programs(NamedTuple):
    """The commands of the programs.

    `tui`: None prints progress lines instead. `devcluster`: None uses a cluster that is running.
    """

    api: Sequence[str]
    controller: Sequence[str]
    tui: Sequence[str] | None = None
    devcluster: Sequence[str] | None = None


class Stack:
    """Runs the programs within a `with` block, and restarts those that are killed.

    Attributes:
        settings: as given, with the address and token of the API.
        changes: readiness of API and controller, and changes of runs.
    """

    def __init__(
        self,
        programs: Programs,
        settings: Settings,
        environ: Mapping[str, str],
        signals: StopSignals,
    ) -> None:
        port, token = free_port(settings.port, settings.host), settings.token or new_token()
        if settings.port not in (0, port):
            warn(f"port {settings.port} is taken; the API listens on {port}")
        url = f"{local_url(settings.host, port)}/api"
        variables = {
            "SPARKTEST_BACKEND_URL": url,
            "SPARKTEST_TOKEN": token,
            "SPARKTEST_HOST": settings.host,
            "SPARKTEST_PORT": str(port),
            "SPARKTEST_KUBECONFIG": settings.kubeconfig or "",
            "SPARKTEST_CONTEXT": settings.context or "",
        }
        self.settings = msgspec.structs.replace(settings, backend_url=url, token=token)
        self.changes = RunChanges(url, token)
        self._programs = programs
        self._signals = signals
        self._environ = environ
        self._processes = ProcessGroup({**environ, **variables}, data_folder(environ) / "logs")
        self._policy = RestartPolicy()
        self._restart_at: dict[ChildProcess, float] = {}
        self._tui: ChildProcess | None = None
        self._warnings: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            for part in (self._processes, self.changes):
                undo.enter_context(part)
            undo.callback(click.echo, "stopping")
            undo.callback(self._leave_tui)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def start(self, prepare: Callable[[], str]) -> bool:
        """Start all programs and wait until they are ready; False when a signal came first.

        Args:
            prepare: called once the cluster answers, before the controller starts; returns the
                uid of the cluster.
        """
        command = self._programs.devcluster
        if command:
            self._start("devcluster", command)
        # At the same time: the API needs no cluster to start.
        self._start("api", self._programs.api)
        cluster_ready = partial(is_reachable, self.settings)
        if command and not self.wait_for(cluster_ready, poll_seconds=CLUSTER_POLL_SECONDS):
            return False
        self._write_session(prepare())
        if not self.wait_for(self.changes.api_ready.is_set):
            return False
        self._start("controller", self._programs.controller)
        return self.wait_for(self.changes.controller_ready.is_set)

    def wait_for(
        self, condition: Callable[[], object], *, poll_seconds: float = POLL_SECONDS
    ) -> bool:
        """Supervise the programs until the condition is true; False when a signal came first.

        Raises:
            ExitError: a program ended by itself meanwhile, or was killed too often.
        """
        while not condition():
            if self._signals.received:
                return False
            self._supervise()
            time.sleep(poll_seconds)
        return True

    def watch(self) -> None:
        """Open the terminal UI, or print changes of runs; until it is closed or a signal comes.

        Raises:
            ExitError: as `wait_for`.
        """
        if self._programs.tui:
            self._tui = self._processes.start("terminal UI", self._programs.tui, on_terminal=True)
        self.wait_for(self._tui_closed if self._tui else self._print_changes)

    def _write_session(self, cluster: str) -> None:
        """Keep a session file until the end: other terminals find the API and the cluster."""
        session = Session(
            backend_url=self.settings.backend_url,
            token=self.settings.token,
            cluster=cluster,
            kubeconfig=self.settings.kubeconfig,
            context=self.settings.context,
        )
        self._undo.enter_context(session_file(self._environ, session))

    def _start(self, name: str, command: Sequence[str]) -> None:
        process = self._processes.start(name, command)
        click.echo(f"starting the {_title(process)} (log: {process.log})")

    def _tui_closed(self) -> bool:
        return self._tui is not None and self._tui.exit_code() == 0

    def _print_changes(self) -> bool:
        for line in self.changes.lines():
            click.echo(line)
        return False

    def _supervise(self) -> None:
        """Restart the programs that were killed, each after its delay."""
        now = time.monotonic()
        for process in self._processes.ended():
            if process not in self._restart_at:
                self._restart_at[process] = now + self._restart_delay(process, now)
            if now >= self._restart_at[process]:
                del self._restart_at[process]
                process.restart()

    def _restart_delay(self, process: ChildProcess, now: float) -> float:
        code = process.exit_code() or 0
        # A killed terminal UI may have left the terminal in any state, so it is not restarted.
        if code >= 0 or process.log is None:
            raise _ended(process, f"ended by itself with code {code}")
        delay = self._policy.delay(process.name, now)
        if delay is None:
            raise _ended(process, f"was killed {MAX_RESTARTS + 1} times in {WINDOW_SECONDS:g} s")
        self._warn(f"the {_title(process)} was killed (signal {-code}); restarting it")
        return delay

    def _warn(self, text: str) -> None:
        """Print a warning now, or when the terminal UI has closed."""
        if self._tui:
            self._warnings.append(text)
        else:
            warn(text)

    def _leave_tui(self) -> None:
        """Close the terminal UI, and print the warnings that were held back while it was open."""
        if self._tui:
            self._tui.stop()
        for text in self._warnings:
            warn(text)


def _title(process: ChildProcess) -> str:
    return TITLES.get(process.name, process.name)


def _ended(process: ChildProcess, how: str) -> ExitError:
    text = f"the {_title(process)} {how}, so everything stops"
    if process.log:
        text += f"; its log: {process.log}"
    lines = [f"{process.name}: {clean_text(line)}" for line in process.last_lines()]
    return ExitError(text, Exit.INFRA, before=lines)
