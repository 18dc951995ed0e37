"""The command devcluster: a Kubernetes API on this machine, in which Jobs run as processes."""

import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparktest.cli.door import as_infra, say
from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.lifeline import lifeline_option

if TYPE_CHECKING:
    from sparktest.devcluster.app import DevCluster

NAME = "devcluster"
# What it prints first when it answers, before its address.
ANSWERS = "dev cluster at"


@click.group(NAME, invoke_without_command=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where it keeps everything; by default in your data folder, as for sparktest up.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="By default the one it had before, or a free one.",
)
@lifeline_option
@click.pass_context
def devcluster(context: click.Context, folder: Path | None, port: int) -> int:
    """Run a dev cluster until Ctrl-C.

    A Kubernetes API for kubectl and for SparkTest on this machine only. The commands of Jobs run
    as processes, their images are named and not pulled. It keeps its objects when it stops;
    sparktest up starts one by itself.
    """
    context.obj = (folder or folder_of_up()).absolute()
    if context.invoked_subcommand:
        return Exit.PASSED
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    from sparktest.devcluster.app import run

    with as_infra():
        return run(context.obj, port, ready=_announce)


@devcluster.command("kubeconfig")
@click.pass_obj
def kubeconfig(folder: Path) -> None:
    """Print the path of its kubeconfig."""
    click.echo(_kubeconfig(folder))


@devcluster.command("env")
@click.pass_obj
def env(folder: Path) -> None:
    """Print the command that points kubectl at it.

    For a shell: eval "$(sparktest devcluster env)"
    """
    click.echo(export(_kubeconfig(folder)))


@devcluster.command("reset")
@click.pass_obj
def reset(folder: Path) -> None:
    """Forget all its objects and logs.

    Its address and kubeconfig stay as they are.
    """
    from sparktest.devcluster import folders

    with as_infra():
        folders.reset(folder)
    say(f"{folder}: all objects and logs are forgotten")


def folder_of_up() -> Path:
    """Where the dev cluster of `sparktest up` keeps everything."""
    from sparktest.settings import data_folder

    return data_folder(os.environ) / NAME


def export(path: Path) -> str:
    """The command that points the kubectl of a shell at the dev cluster, to paste."""
    return f"export KUBECONFIG={shlex.quote(str(path))}"


def _announce(cluster: "DevCluster") -> None:
    click.echo(f"{ANSWERS} {cluster.url}; in another terminal:")
    click.echo(f"  {export(cluster.kubeconfig)}")


def _kubeconfig(folder: Path) -> Path:
    """The file that leads to the dev cluster.

    Raises:
        ExitError: none has run there yet.
    """
    from sparktest.devcluster.folders import is_running, kubeconfig_path

    path = kubeconfig_path(folder)
    if not path.exists():
        raise ExitError(
            f"{folder}: no dev cluster has run here; start one with sparktest up, or without "
            "the rest of SparkTest with sparktest devcluster",
            Exit.INFRA,
        )
    if not is_running(folder):
        say("it does not run now; start it with sparktest up or sparktest devcluster")
    return path
