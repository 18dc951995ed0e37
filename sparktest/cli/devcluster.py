"""The command devcluster: a Kubernetes API on this machine, in which Jobs run as processes."""

import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from sparktest.cli import options
from sparktest.cli.exits import Exit, ExitError, infra_errors, warn
from sparktest.cli.parent_watch import parent_watch_option
from sparktest.user_files import data_folder

NAME = "devcluster"


@click.group(NAME, invoke_without_command=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder; default: the one that sparktest up uses.",
)
@click.option(
    "--port", type=options.PORT, default=0, help="Default: the previous port, or a free one."
)
@parent_watch_option
@click.pass_context
def devcluster(context: click.Context, folder: Path | None, port: int) -> int:
    """Run a dev cluster until Ctrl-C.

    A Kubernetes API for kubectl and SparkTest on this machine only. The commands of Jobs run as
    processes; images are not pulled. Objects are kept when it stops. sparktest up starts one
    itself.
    """
    context.obj = (folder or default_folder()).absolute()
    if context.invoked_subcommand:
        return Exit.PASSED
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with devcluster_extra():
        from sparktest.devcluster.app import run
    with infra_errors():
        return run(
            context.obj, port, ready=lambda cluster: _print_ready(cluster.url, cluster.kubeconfig)
        )


@devcluster.command("kubeconfig")
@click.pass_obj
def kubeconfig(folder: Path) -> None:
    """Print the path of the kubeconfig."""
    click.echo(_kubeconfig(folder))


@devcluster.command("env")
@click.pass_obj
def env(folder: Path) -> None:
    """Print the command that makes kubectl use the dev cluster.

    For a shell: eval "$(sparktest devcluster env)"
    """
    click.echo(export_command(_kubeconfig(folder)))


@devcluster.command("reset")
@click.pass_obj
def reset(folder: Path) -> None:
    """Delete all objects and logs of the dev cluster.

    Its address and kubeconfig stay the same.
    """
    with devcluster_extra():
        from sparktest.devcluster.folders import reset as reset_folder
    with infra_errors():
        reset_folder(folder)
    warn(f"{folder}: all objects and logs are deleted")


@contextmanager
def devcluster_extra() -> Iterator[None]:
    """Turn an import error into a hint: the libraries of the dev cluster are an optional extra.

    `sparktest.devcluster` is therefore imported inside functions.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExitError(
            f"the dev cluster is an optional extra and {error.name} is missing; install it with: "
            "pip install 'sparktest[devcluster]' (in a checkout: pip install -e '.[devcluster]')",
            Exit.USAGE,
        ) from error


def find(folder: Path) -> tuple[Path, bool]:
    """Return the kubeconfig of the folder's dev cluster, and True when it is running."""
    with devcluster_extra():
        from sparktest.devcluster.folders import KUBECONFIG, is_running
    return folder / KUBECONFIG, is_running(folder)


def default_folder() -> Path:
    """Return the folder of the dev cluster that `sparktest up` starts."""
    return data_folder(os.environ) / NAME


def export_command(path: Path) -> str:
    """Return the shell command that makes kubectl use the dev cluster."""
    return f"export KUBECONFIG={shlex.quote(str(path))}"


def _print_ready(url: str, kubeconfig: Path) -> None:
    click.echo(f"dev cluster at {url}; in another terminal:")
    click.echo(f"  {export_command(kubeconfig)}")


def _kubeconfig(folder: Path) -> Path:
    """Return the path of the dev cluster's kubeconfig.

    Raises:
        ExitError: no dev cluster has run in the folder yet.
    """
    path, running = find(folder)
    if not path.exists():
        raise ExitError(
            f"{folder}: no dev cluster has run here; start one with sparktest up or "
            "sparktest devcluster",
            Exit.INFRA,
        )
    if not running:
        warn("the dev cluster is not running; start it with sparktest up or sparktest devcluster")
    return path
