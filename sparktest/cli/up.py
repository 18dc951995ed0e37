"""The command up: API, controller and terminal UI on one machine, which end together."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparktest.cli import devcluster
from sparktest.cli.door import as_infra, say, settings_with
from sparktest.cli.exits import Exit

if TYPE_CHECKING:
    from sparktest.cli.together import Programs
    from sparktest.settings import Settings

# -P: nothing in the current folder is taken for a module.
SPARKTEST = (sys.executable, "-P", "-m", "sparktest")


@click.command("up")
@click.option("--context", metavar="NAME", help="Use the cluster of this context.")
@click.option("--kubeconfig", metavar="FILE", help="Use the cluster of this file's context.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of the API; another if it is taken.")
@click.option("--install-crd", is_flag=True, help="Install the CRD where the cluster has none.")
@click.option("--no-tui", is_flag=True, help="Print what happens instead.")
def up(
    context: str | None, kubeconfig: str | None, port: int | None, install_crd: bool, no_tui: bool
) -> Exit:
    """Start API, controller and terminal UI together.

    On a dev cluster of this machine, unless you name another cluster: the current context of your
    kubeconfig is never used by accident. They stop together and leave nothing running.
    """
    settings = settings_with({"context": context, "kubeconfig": kubeconfig, "port": port})
    from sparktest.cli.preflight import check_cluster, prepare_devcluster
    from sparktest.cli.processes import Signals
    from sparktest.cli.session import only_one
    from sparktest.cli.together import Together

    terminal = not no_tui and sys.stdin.isatty() and sys.stdout.isatty()
    programs = our_programs(tui=terminal)
    with only_one(os.environ), as_infra(), Signals() as signals:
        if settings.context or settings.kubeconfig:
            settings = pinned(settings)
            uid = check_cluster(settings, install_crd=install_crd, tell=click.echo)
            prepare, kubeconfig = (lambda: uid), None
        else:
            settings, programs = on_devcluster(settings, programs, devcluster.folder_of_up())
            prepare, kubeconfig = partial(prepare_devcluster, settings), settings.kubeconfig
        with Together(programs, settings, os.environ, signals) as together:
            if together.started(prepare):
                _welcome(together.settings, kubeconfig)
                together.watch()
    return Exit.PASSED


def pinned(settings: "Settings") -> "Settings":
    """Return the settings with the kubeconfig and context that they mean now, by full name.

    Another terminal may have another KUBECONFIG or folder, and the current context may change.
    """
    import msgspec

    from sparktest.kube import config

    kubeconfig, context = config.selected(settings)
    return msgspec.structs.replace(settings, kubeconfig=kubeconfig, context=context)


def our_programs(*, tui: bool) -> "Programs":
    """API and controller, with the terminal UI where there is a terminal for it."""
    from sparktest.cli.together import Programs

    return Programs(
        [*SPARKTEST, "api"], [*SPARKTEST, "controller"], [*SPARKTEST, "tui"] if tui else None
    )


def on_devcluster(
    settings: "Settings", programs: "Programs", folder: Path
) -> "tuple[Settings, Programs]":
    """The settings with the dev cluster of the folder, and its program unless it runs already."""
    import msgspec

    from sparktest.devcluster.folders import is_running, kubeconfig_path

    settings = msgspec.structs.replace(settings, kubeconfig=str(kubeconfig_path(folder)))
    if is_running(folder):
        say(f"the dev cluster that runs on {folder} is used")
        return settings, programs
    command = [*SPARKTEST, "devcluster", "--folder", str(folder)]
    return settings, programs._replace(devcluster=command)


def _welcome(settings: "Settings", kubeconfig: str | None) -> None:
    """Print what to do next; `kubeconfig`: of the dev cluster, None on another cluster."""
    from sparktest import kubectl

    if kubeconfig is None:
        click.echo(f"ready: API at {settings.backend_url}; in another terminal: sparktest runs")
        return
    click.echo(f"ready: API at {settings.backend_url}; in another terminal:")
    apply = kubectl.apply("sparktest crd --example testrun", target=kubectl.Target(kubeconfig))
    click.echo(f"  {apply}")
    click.echo("  sparktest runs")
