"""The programs of SparkTest as one: each started when the one before is ready, ended together."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple, Self

import click
import msgspec

from sparktest.cli import devcluster
from sparktest.cli.door import say
from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.news import News
from sparktest.cli.processes import Child, Children, Signals
from sparktest.cli.restarts import MOST, WITHIN_SECONDS, Restarts
from sparktest.cli.session import announced, free_port, new_token
from sparktest.sanitize import clean_text
from sparktest.settings import Session, Settings, data_folder

# What the controller logs when it has seen the cluster and begins to work.
CONTROLLER_WORKS = "controller works"
POLL_SECONDS = 0.05


class Programs(NamedTuple):
    """The commands of what is started.

    `tui` is None for progress lines instead, `devcluster` where a cluster is there.
    """

    api: Sequence[str]
    controller: Sequence[str]
    tui: Sequence[str] | None = None
    devcluster: Sequence[str] | None = None


class Together:
    """The programs, from the `with` to its end; who is killed meanwhile is started again.

    Attributes:
        settings: as given, with the address and token of the API.
        news: what becomes of runs.
    """

    def __init__(
        self, programs: Programs, settings: Settings, environ: Mapping[str, str], signals: Signals
    ) -> None:
        port, token = free_port(settings.port), new_token()
        if settings.port not in (0, port):
            say(f"port {settings.port} is taken; the API listens on {port}")
        url = f"http://127.0.0.1:{port}/api"
        given = {
            "SPARKTEST_BACKEND_URL": url,
            "SPARKTEST_TOKEN": token,
            "SPARKTEST_HOST": "127.0.0.1",
            "SPARKTEST_PORT": str(port),
            "SPARKTEST_KUBECONFIG": settings.kubeconfig or "",
            "SPARKTEST_CONTEXT": settings.context or "",
        }
        self.settings = msgspec.structs.replace(settings, backend_url=url, token=token)
        self.news = News(url, token)
        self._programs = programs
        self._signals = signals
        self._environ = environ
        self._children = Children({**environ, **given}, data_folder(environ) / "logs")
        self._restarts = Restarts()
        self._due: dict[Child, float] = {}
        self._tui: Child | None = None
        self._remarks: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._tell_remarks)
            for part in (self._children, self.news):
                undo.enter_context(part)
            undo.callback(click.echo, "stopping")
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def started(self, prepare: Callable[[], str]) -> bool:
        """Whether all are ready; false where a signal came first.

        Args:
            prepare: called once the cluster is there, before the rest starts; the uid of the
                cluster.
        """
        command = self._programs.devcluster
        cluster = self._start("dev cluster", "devcluster", command) if command else None
        # Beside it: the API needs no cluster to start.
        self._start("API", "api", self._programs.api)
        if cluster and not self.reached(partial(cluster.has_said, devcluster.ANSWERS)):
            return False
        self._announce(prepare())
        if not self.reached(self.news.healthy.is_set):
            return False
        controller = self._start("controller", "controller", self._programs.controller)
        return self.reached(lambda: controller.has_said(CONTROLLER_WORKS))

    def reached(self, check: Callable[[], object]) -> bool:
        """Whether it came true; false where a signal came first.

        Raises:
            ExitError: a program ended by itself meanwhile, or was killed again and again.
        """
        while not check():
            if self._signals.came:
                return False
            self._keep()
            time.sleep(POLL_SECONDS)
        return True

    def watch(self) -> None:
        """Open the terminal UI, or print what happens; until it is closed or a signal comes.

        Raises:
            ExitError: as `reached`.
        """
        if self._programs.tui:
            self._tui = self._children.start_here("terminal UI", self._programs.tui)
        self.reached(self._closed if self._tui else self._told)

    def _announce(self, cluster: str) -> None:
        """Leave the session file until the end: other terminals find the API and the cluster."""
        session = Session(
            backend_url=self.settings.backend_url,
            token=self.settings.token,
            cluster=cluster,
            kubeconfig=self.settings.kubeconfig,
            context=self.settings.context,
        )
        self._undo.enter_context(announced(self._environ, session))

    def _start(self, title: str, name: str, command: Sequence[str]) -> Child:
        child = self._children.start(name, command)
        click.echo(f"{title} starts (log: {child.log})")
        return child

    def _closed(self) -> bool:
        return self._tui is not None and self._tui.exit_code() == 0

    def _told(self) -> bool:
        for line in self.news.lines():
            click.echo(line)
        return False

    def _keep(self) -> None:
        """Start again who was killed, a while after."""
        now = time.monotonic()
        for child in self._children.ended():
            if child not in self._due:
                self._due[child] = now + self._delay(child, now)
            if now >= self._due[child]:
                del self._due[child]
                child.revive()

    def _delay(self, child: Child, now: float) -> float:
        code = child.exit_code() or 0
        # One on our terminal may have left it in any state, and nobody waits for what it does.
        if code >= 0 or child.log is None:
            raise _ended(child, f"ended by itself with code {code}")
        delay = self._restarts.delay(child.name, now)
        if delay is None:
            raise _ended(child, f"was killed {MOST + 1} times within {WITHIN_SECONDS:g} s")
        self._remark(f"the {child.name} was killed (signal {-code}); it starts again")
        return delay

    def _remark(self, text: str) -> None:
        """Say it now, or when the terminal UI has given the terminal back."""
        if self._tui:
            self._remarks.append(text)
        else:
            say(text)

    def _tell_remarks(self) -> None:
        for text in self._remarks:
            say(text)


def _ended(child: Child, how: str) -> ExitError:
    text = f"the {child.name} {how}, so all stop"
    if child.log:
        text += f"; its log: {child.log}"
    lines = [f"{child.name}: {clean_text(line)}" for line in child.last_lines()]
    return ExitError(text, Exit.INFRA, before=lines)
