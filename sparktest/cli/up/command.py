"""The command up: run API, controller and terminal UI together on one machine."""

import os
import sys
from functools import partial
from pathlib import Path

import click
import msgspec

from sparktest import kubectl
from sparktest.cli import devcluster, options
from sparktest.cli.context import load_settings
from sparktest.cli.exits import Exit, infra_errors, warn
from sparktest.cli.up.preflight import check_cluster, prepare_devcluster
from sparktest.cli.up.processes import StopSignals
from sparktest.cli.up.session import single_instance
from sparktest.cli.up.stack import Programs, Stack
from sparktest.kube import config
from sparktest.settings import Settings

# -P: do not import modules from the current folder.
SPARKTEST = (sys.executable, "-P", "-m", "sparktest")


@click.command("up")
@click.option("--context", metavar="NAME", help="Use the cluster of this context.")
@click.option("--kubeconfig", metavar="FILE", help="Use the cluster of this file's context.")
@click.option("--port", type=options.PORT, help="Port of the API; replaced by a free one if taken.")
@click.option("--install-crd", is_flag=True, help="Install the CRD if the cluster has none.")
@click.option(
    "--no-tui", is_flag=True, help="Print changes of runs instead of opening the terminal UI."
)
def up(
    context: str | None, kubeconfig: str | None, port: int | None, install_crd: bool, no_tui: bool
) -> Exit:
    """Start API, controller and terminal UI together.

    Uses a dev cluster on this machine unless --context or --kubeconfig names another one; the
    current context is never used by accident. All programs stop together.
    """
    settings = load_settings({"context": context, "kubeconfig": kubeconfig, "port": port})
    terminal = not no_tui and sys.stdin.isatty() and sys.stdout.isatty()
    programs = sparktest_programs(tui=terminal)
    with single_instance(os.environ), infra_errors(), StopSignals() as signals:
        if settings.context or settings.kubeconfig:
            settings = pin(settings)
            uid = check_cluster(settings, install_crd=install_crd)
            prepare, kubeconfig = (lambda: uid), None
        else:
            settings, programs = use_devcluster(settings, programs, devcluster.default_folder())
            prepare, kubeconfig = partial(prepare_devcluster, settings), settings.kubeconfig
        with Stack(programs, settings, os.environ, signals) as stack:
            if stack.start(prepare):
                _print_ready(stack.settings, kubeconfig)
                stack.watch()
    return Exit.PASSED


def pin(settings: Settings) -> Settings:
    """Return the settings with the absolute kubeconfig and the context that they select now.

    Another terminal may have another KUBECONFIG or folder, and the current context may change.
    """
    kubeconfig, context = config.selected(settings)
    return msgspec.structs.replace(settings, kubeconfig=kubeconfig, context=context)


def sparktest_programs(*, tui: bool) -> Programs:
    """Return the commands of API and controller, and of the terminal UI if `tui`."""
    return Programs(
        [*SPARKTEST, "api"], [*SPARKTEST, "controller"], [*SPARKTEST, "tui"] if tui else None
    )


def use_devcluster(
    settings: Settings, programs: Programs, folder: Path
) -> tuple[Settings, Programs]:
    """Return settings that use the dev cluster of the folder, and programs that start it.

    A dev cluster that is already running is used as it is.
    """
    kubeconfig, running = devcluster.find(folder)
    settings = msgspec.structs.replace(settings, kubeconfig=str(kubeconfig))
    if running:
        warn(f"using the dev cluster that is running in {folder}")
        return settings, programs
    command = [*SPARKTEST, "devcluster", "--folder", str(folder)]
    return settings, programs._replace(devcluster=command)


def _print_ready(settings: Settings, kubeconfig: str | None) -> None:
    """Print what to do next; `kubeconfig`: of the dev cluster, None on another cluster."""
    if kubeconfig is None:
        click.echo(f"ready: API at {settings.backend_url}; in another terminal: sparktest runs")
        return
    click.echo(f"ready: API at {settings.backend_url}; in another terminal:")
    apply = kubectl.apply("sparktest crd --example testrun", target=kubectl.Target(kubeconfig))
    click.echo(f"  {apply}")
    click.echo("  sparktest runs")
