"""The command demo: run example TestRuns on a temporary dev cluster."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import yaml

from sparktest import kubectl
from sparktest.cli import devcluster
from sparktest.cli.crd import manifest
from sparktest.cli.exits import Exit, ExitError, infra_errors
from sparktest.cli.output import field_lines
from sparktest.cli.up.command import sparktest_programs, use_devcluster
from sparktest.cli.up.preflight import prepare_devcluster
from sparktest.cli.up.processes import StopSignals
from sparktest.cli.up.stack import Stack
from sparktest.cli.waiting import retry
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.run_fields import explain_status, run_duration
from sparktest.sanitize import clean, clean_text
from sparktest.settings import ALIASES, Settings, load

# The examples, the TestRun in each, and the final status of its run.
EXAMPLES = {
    "testrun": ("hello", "succeeded"),
    "failing": ("failing", "failed"),
    "timeout": ("timeout", "timed_out"),
}
NAMESPACE = "default"
LOG_LINES = 3


@click.command("demo")
@click.option("--no-tui", is_flag=True, help="Exit when the runs have ended, also on a terminal.")
def demo(no_tui: bool) -> Exit:
    """Run example tests on a temporary dev cluster.

    Applies three TestRuns (one passes, one fails, one times out), prints their outcomes, and opens
    the terminal UI when run on a terminal. Needs no setup and leaves nothing behind.
    """
    terminal = not no_tui and sys.stdin.isatty() and sys.stdout.isatty()
    with (
        infra_errors(),
        StopSignals() as signals,
        TemporaryDirectory(prefix="sparktest-demo-") as folder,
    ):
        environ = isolated_environment(os.environ, Path(folder))
        settings, programs = use_devcluster(
            load(environ, {"port": 0}),
            sparktest_programs(tui=terminal),
            Path(folder) / devcluster.NAME,
        )
        with Stack(programs, settings, environ, signals) as stack:
            prepare = partial(prepare_devcluster, settings)
            if not (stack.start(prepare) and _run_examples(stack, settings)):
                return Exit.INTERRUPTED
            if terminal:
                stack.watch()
    return Exit.PASSED


def isolated_environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment without SparkTest's settings, and with the folder for its files."""
    ours = {name for name in environ if name.startswith("SPARKTEST_")} | set(ALIASES.values())
    kept = {name: value for name, value in environ.items() if name not in ours | {"KUBECONFIG"}}
    return kept | {"XDG_DATA_HOME": f"{folder}/data", "XDG_CONFIG_HOME": f"{folder}/config"}


def _run_examples(stack: Stack, settings: Settings) -> bool:
    """Run the examples and print their outcomes; False when a signal came first.

    Raises:
        ExitError: a run did not end with its expected status.
    """
    target = kubectl.Target(settings.kubeconfig)
    _apply(settings, target)
    runs: list[Run] = []
    with ApiClient.from_settings(stack.settings, clean=clean) as client:
        if not stack.wait_for(lambda: _all_ended(stack, client, runs)):
            return False
        click.echo("\nkubectl finds the same in another terminal, until the demo ends:")
        click.echo(f"  {devcluster.export_command(Path(settings.kubeconfig or ''))}")
        for run in runs:
            click.echo()
            for line in summary(run, client.get_log(run.id).decode(errors="replace"), target):
                click.echo(line)
    click.echo()
    found = {run.name: run.status.value for run in runs}
    if found != dict(EXAMPLES.values()):
        raise ExitError("the runs did not end with their expected statuses", Exit.INFRA)
    return True


def _apply(settings: Settings, target: kubectl.Target) -> None:
    click.echo(
        "\nThree TestRuns; their images are named, not pulled: a dev cluster runs processes."
    )
    with closing(Cluster.connect(settings, workers=1)) as cluster:
        for example in EXAMPLES:
            cluster.create(
                TESTRUNS, NAMESPACE, yaml.safe_load(manifest(f"examples/{example}.yaml"))
            )
            apply = kubectl.apply(f"sparktest crd --example {example}", target=target)
            click.echo(f"  $ {apply}")
    click.echo()


def _all_ended(stack: Stack, client: ApiClient, runs: list[Run]) -> bool:
    """Print changes, put all runs into the list, and return True once they have ended."""
    lines = list(stack.changes.lines())
    for line in lines:
        click.echo(f"  {line}")
    if not lines:
        return False
    runs[:] = reversed(retry(partial(client.list_runs, origin=["crd"])).runs)
    return len(runs) == len(EXAMPLES) and all(run.status.final for run in runs)


def summary(run: Run, log: str, target: kubectl.Target) -> Sequence[str]:
    """Return lines about a run that has ended: outcome, end of its log, kubectl commands."""
    status = run.status.value.replace("_", " ")
    lines = [f"{run.name}  [CRD]  {status} after {run_duration(run, datetime.now(UTC))}"]
    last_lines = [clean_text(line) for line in log.splitlines()[-LOG_LINES:]]
    commands = [make(run, target=target) for make in (kubectl.get, kubectl.describe, kubectl.logs)]
    fields = [
        ("failure", explain_status(run) if run.failure else None),
        ("log", "\n".join(last_lines)),
        ("kubectl", "\n".join(commands)),
    ]
    return [*lines, *(f"  {line}" for line in field_lines(fields))]
