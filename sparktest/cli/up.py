"""The command up: API, controller and terminal UI on one machine, which end together."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from sparktest.cli.door import as_infra, say, settings_with
from sparktest.cli.exits import Exit, ExitError

if TYPE_CHECKING:
    from sparktest.cli.news import News
    from sparktest.cli.processes import Child, Children, Signals
    from sparktest.settings import Settings

# -P: nothing in the current folder is taken for a module.
SPARKTEST = (sys.executable, "-P", "-m", "sparktest")
# What the controller logs when it has seen the cluster and begins to work.
CONTROLLER_WORKS = "controller works"
POLL_SECONDS = 0.05


class Programs(NamedTuple):
    """The commands of what is started; `tui` is None for progress lines instead."""

    api: Sequence[str]
    controller: Sequence[str]
    tui: Sequence[str] | None


@click.command("up")
@click.option("--context", metavar="NAME", help="A context of your kubeconfig.")
@click.option("--kubeconfig", metavar="FILE", help="A kubeconfig; its current context counts.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of the API; another if it is taken.")
@click.option("--install-crd", is_flag=True, help="Install the CRD where the cluster has none.")
@click.option("--no-tui", is_flag=True, help="Print what happens instead.")
def up(
    context: str | None, kubeconfig: str | None, port: int | None, install_crd: bool, no_tui: bool
) -> Exit:
    """Start API, controller and terminal UI together.

    They use the cluster that you name, stop together, and leave nothing running.
    """
    settings = settings_with({"context": context, "kubeconfig": kubeconfig, "port": port})
    if not (settings.context or settings.kubeconfig):
        raise click.UsageError(
            "Give --context NAME or --kubeconfig FILE: no cluster is used by accident."
        )
    from sparktest.cli.preflight import check_cluster
    from sparktest.cli.processes import Signals
    from sparktest.cli.session import only_one

    terminal = not no_tui and sys.stdin.isatty() and sys.stdout.isatty()
    programs = Programs(
        [*SPARKTEST, "api"], [*SPARKTEST, "controller"], [*SPARKTEST, "tui"] if terminal else None
    )
    with only_one(os.environ), as_infra(), Signals() as signals:
        check_cluster(settings, install_crd=install_crd, tell=click.echo)
        return together(programs, settings, os.environ, signals)


def together(
    programs: Programs, settings: "Settings", environ: Mapping[str, str], signals: "Signals"
) -> Exit:
    """Start the programs, each when the one before is ready; end all when one or a signal ends it.

    Raises:
        ExitError: a program ended by itself.
    """
    from sparktest.cli.news import News
    from sparktest.cli.processes import Children
    from sparktest.cli.session import announced, free_port, new_token
    from sparktest.settings import data_folder

    port, token = free_port(settings.port), new_token()
    if settings.port not in (0, port):
        say(f"port {settings.port} is taken; the API listens on {port}")
    backend_url = f"http://127.0.0.1:{port}/api"
    given = {
        "SPARKTEST_BACKEND_URL": backend_url,
        "SPARKTEST_TOKEN": token,
        "SPARKTEST_HOST": "127.0.0.1",
        "SPARKTEST_PORT": str(port),
        "SPARKTEST_KUBECONFIG": settings.kubeconfig or "",
        "SPARKTEST_CONTEXT": settings.context or "",
    }
    with (
        announced(environ, backend_url, token),
        Children({**environ, **given}, data_folder(environ) / "logs") as children,
        News(backend_url, token) as news,
    ):
        if _started(programs, children, news, signals):
            click.echo(f"ready: API at {backend_url}; in another terminal: sparktest runs")
            _watch(programs, children, news, signals)
        click.echo("stopping")
    return Exit.PASSED


def _started(programs: Programs, children: "Children", news: "News", signals: "Signals") -> bool:
    """Whether API and controller are ready; false where a signal came first."""
    api = children.start("api", programs.api)
    click.echo(f"API starts (log: {api.log})")
    if not _reached(news.healthy.is_set, children, signals):
        return False
    controller = children.start("controller", programs.controller)
    click.echo(f"controller starts (log: {controller.log})")
    return _reached(lambda: controller.has_said(CONTROLLER_WORKS), children, signals)


def _reached(reached: Callable[[], bool], children: "Children", signals: "Signals") -> bool:
    while not reached():
        if signals.came:
            return False
        _check(children.ended())
        time.sleep(POLL_SECONDS)
    return True


def _watch(programs: Programs, children: "Children", news: "News", signals: "Signals") -> None:
    """Return when the terminal UI was closed, or a signal came."""
    tui = children.start_here("terminal UI", programs.tui) if programs.tui else None
    while not signals.came:
        ended = children.ended()
        if ended and ended is tui and ended.exit_code() == 0:
            return
        _check(ended)
        for line in news.lines() if tui is None else ():
            click.echo(line)
        time.sleep(POLL_SECONDS)


def _check(ended: "Child | None") -> None:
    """Nothing where none has ended.

    Raises:
        ExitError: this one has; with the end of its log.
    """
    if ended is None:
        return
    from sparktest.sanitize import clean_text

    text = f"the {ended.name} ended by itself with code {ended.exit_code()}, so all stop"
    if ended.log:
        text += f"; its log: {ended.log}"
    lines = [f"{ended.name}: {clean_text(line)}" for line in ended.last_lines()]
    raise ExitError(text, Exit.INFRA, before=lines)
