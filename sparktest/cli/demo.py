"""The command demo: the main job, shown on this machine in a folder that goes at the end."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from sparktest.cli import devcluster
from sparktest.cli.crd import manifest
from sparktest.cli.door import as_infra
from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.up import on_devcluster, our_programs
from sparktest.run_fields import run_duration

if TYPE_CHECKING:
    from sparktest.cli.together import Together
    from sparktest.client import ApiClient
    from sparktest.domain import Run
    from sparktest.kubectl import Target
    from sparktest.settings import Settings

# The examples that are applied, the TestRun in each, and how its run ends.
SHOWN = {
    "testrun": ("hello", "succeeded"),
    "failing": ("failing", "failed"),
    "timeout": ("timeout", "timed_out"),
}
NAMESPACE = "default"
LOG_LINES = 3


@click.command("demo")
@click.option("--no-tui", is_flag=True, help="End when the runs have ended, also on a terminal.")
def demo(no_tui: bool) -> Exit:
    """See SparkTest at work, with nothing set up.

    On a dev cluster of its own: applies three TestRuns of which one passes, one fails and one
    times out, shows what became of them, and opens the terminal UI on a terminal. Leaves nothing
    behind.
    """
    from sparktest.cli.preflight import prepare_devcluster
    from sparktest.cli.processes import Signals
    from sparktest.cli.together import Together
    from sparktest.settings import load

    terminal = not no_tui and sys.stdin.isatty() and sys.stdout.isatty()
    with as_infra(), Signals() as signals, TemporaryDirectory(prefix="sparktest-demo-") as folder:
        environ = _apart(os.environ, Path(folder))
        settings, programs = on_devcluster(
            load(environ, {"port": 0}), our_programs(tui=terminal), Path(folder) / devcluster.NAME
        )
        with Together(programs, settings, environ, signals) as together:
            prepare = partial(prepare_devcluster, settings)
            if not (together.started(prepare) and _shown(together, settings)):
                return Exit.INTERRUPTED
            if terminal:
                together.watch()
    return Exit.PASSED


def _apart(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment without any setting of ours, and with everything kept in the folder."""
    from sparktest.settings import ALIASES

    ours = {name for name in environ if name.startswith("SPARKTEST_")} | set(ALIASES.values())
    kept = {name: value for name, value in environ.items() if name not in ours | {"KUBECONFIG"}}
    return kept | {"XDG_DATA_HOME": f"{folder}/data", "XDG_CONFIG_HOME": f"{folder}/config"}


def _shown(together: "Together", settings: "Settings") -> bool:
    """Whether the runs have ended and were shown; false where a signal came first.

    Raises:
        ExitError: one ended otherwise than it has to.
    """
    from sparktest.client import ApiClient
    from sparktest.kubectl import Target
    from sparktest.sanitize import clean

    target = Target(settings.kubeconfig)
    _apply(settings, target)
    runs: list[Run] = []
    with ApiClient.from_settings(together.settings, clean=clean) as client:
        if not together.reached(lambda: _ended(together, client, runs)):
            return False
        click.echo("\nkubectl finds the same in another terminal, until the demo ends:")
        click.echo(f"  {devcluster.export(Path(settings.kubeconfig or ''))}")
        for run in runs:
            click.echo()
            for line in about(run, client.get_log(run.id).decode(errors="replace"), target):
                click.echo(line)
    click.echo()
    found = {run.name: run.status.value for run in runs}
    if found != dict(SHOWN.values()):
        raise ExitError("the runs did not end as the examples say", Exit.INFRA)
    return True


def _apply(settings: "Settings", target: "Target") -> None:
    import yaml

    from sparktest import kubectl
    from sparktest.kube.cluster import TESTRUNS, Cluster

    click.echo(
        "\nThree TestRuns; their images are named, not pulled: a dev cluster runs processes."
    )
    cluster = Cluster.connect(settings, workers=1)
    try:
        for example in SHOWN:
            cluster.create(
                TESTRUNS, NAMESPACE, yaml.safe_load(manifest(f"examples/{example}.yaml"))
            )
            apply = kubectl.apply(f"sparktest crd --example {example}", target=target)
            click.echo(f"  $ {apply}")
    finally:
        cluster.close()
    click.echo()


def _ended(together: "Together", client: "ApiClient", runs: "list[Run]") -> bool:
    """Whether all have ended; says what is new, and then puts the runs into the list."""
    from sparktest.cli.waiting import patiently

    news = list(together.news.lines())
    for line in news:
        click.echo(f"  {line}")
    if not news:
        return False
    runs[:] = reversed(patiently(partial(client.list_runs, origin=["crd"])).runs)
    return len(runs) == len(SHOWN) and all(run.status.final for run in runs)


def about(run: "Run", log: str, target: "Target") -> Sequence[str]:
    """What there is to know of a run that has ended, a line each: outcome, log, commands."""
    from sparktest import kubectl
    from sparktest.sanitize import clean_text

    status = run.status.value.replace("_", " ")
    lines = [f"{run.name}  [CRD]  {status} after {run_duration(run, datetime.now(UTC))}"]
    if run.failure:
        code = run.failure.exit_code
        said = f"{run.failure.class_.value}, {run.failure.reason}"
        lines.append(f"  failure  {said}" + ("" if code is None else f", exit code {code}"))
    last = log.splitlines()[-LOG_LINES:]
    lines += [
        f"  {'log' if index == 0 else '':7}  {clean_text(line)}" for index, line in enumerate(last)
    ]
    commands = [make(run, target=target) for make in (kubectl.get, kubectl.describe, kubectl.logs)]
    lines += [
        f"  {'kubectl' if index == 0 else '':7}  {command}"
        for index, command in enumerate(commands)
    ]
    return lines
