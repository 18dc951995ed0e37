"""The commands run and rerun: start runs of definitions, manifests, images, or earlier runs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from sparktest.cli import options
from sparktest.cli.completion import DEFINITION, RUN
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, warn
from sparktest.cli.logs import follow_run
from sparktest.cli.lookup import find_definition, find_run
from sparktest.cli.manifests import read_testruns
from sparktest.cli.output import output_option, show, show_document
from sparktest.cli.run_output import run_columns
from sparktest.cli.waiting import first_failure, report_outcome, retry, wait_for_run
from sparktest.client import ApiClient
from sparktest.domain import Run, Status

Body = dict[str, Any]
# A program given on the command line replaces all of these in a manifest.
PROGRAM_FIELDS = ("commands", "command", "args")


@click.command("run", cls=options.RunCommand)
@click.argument(
    "reference",
    metavar="[DEFINITION] [-- PROGRAM [ARG]...]",
    required=False,
    shell_complete=DEFINITION,
)
@click.option(
    "-f",
    "--filename",
    "filenames",
    type=options.file_type,
    metavar="FILE",
    multiple=True,
    help="TestRun manifests, run without creating TestRun objects; - is stdin. Repeatable.",
)
@click.option(
    "--image", metavar="IMAGE", help="The image to run; with a definition, instead of its image."
)
@options.commands_option
@options.env_option
@options.label_option
@click.option(
    "--name",
    metavar="NAME",
    help="The name of the run; default: that in the manifest, of the definition or of the image.",
)
@options.timeout_option
@options.wait_option
@options.follow_option
@options.dry_run_option
@output_option("name")
@uses_api
def run(
    client: ApiClient,
    reference: str | None,
    filenames: tuple[Path, ...],
    image: str | None,
    wait: bool,
    follow: bool,
    dry_run: bool,
    output: str,
    **overrides: Any,
) -> Exit:
    """Start a run and print its id.

    Runs a definition (its name, id, or the first characters of its id), manifests (-f), or an
    image (--image). The words after -- are a program that runs without a shell.
    """
    if bool(filenames) == bool(reference or image):
        raise click.UsageError("Give one of: a definition, -f FILE, --image IMAGE.")
    program = options.program_args(overrides["commands"])
    bodies = [
        _override(body, program, **overrides) for body in _bodies(reference, filenames, image)
    ]
    if len(bodies) > 1 and overrides["name"]:
        raise click.UsageError(f"--name is for one run; the files hold {len(bodies)}.")
    definition_id = find_definition(client, reference).id if reference else None
    if dry_run:
        _show_dry(client, definition_id, bodies, output)
        return Exit.PASSED
    return _start(client, definition_id, bodies, output, wait=wait, follow=follow)


@click.command("rerun")
@click.argument("reference", metavar="RUN", shell_complete=RUN)
@options.wait_option
@options.follow_option
@output_option("name")
@uses_api
def rerun(client: ApiClient, reference: str, wait: bool, follow: bool, output: str) -> Exit:
    """Repeat a run, and print the id of the new one."""
    started = client.rerun_run(find_run(client, reference).id)
    _show_started([started], output, follow=follow)
    return follow_to_end(client, started, follow=follow) if wait or follow else Exit.PASSED


def follow_to_end(client: ApiClient, started: Run, *, follow: bool) -> Exit:
    """Wait until the run has ended and return its exit code; print its log if `follow`."""
    if follow:
        started = wait_for_run(client, started, lambda run: run.status is not Status.PENDING)
        try:
            follow_run(client, started)
        except KeyboardInterrupt:
            warn(f"{started.name} continues; see: sparktest logs -f {started.id}")
            raise
        started = retry(partial(client.get_run, started.id))
    return report_outcome(wait_for_run(client, started))


def _start(
    client: ApiClient,
    definition_id: str | None,
    bodies: Sequence[Body],
    output: str,
    *,
    wait: bool,
    follow: bool,
) -> Exit:
    """Start all runs, then wait for one after the other."""
    started: list[Run] = []
    for body in bodies:
        if definition_id:
            started.append(client.run_definition(definition_id, body))
        else:
            started.append(client.create_run(body))
        if output == "name":
            # At once: the next one may fail, and this one is already running.
            _show_started(started[-1:], output, follow=follow)
    if output != "name":
        _show_started(started, output, follow=follow)
    if not (wait or follow):
        return Exit.PASSED
    return first_failure([follow_to_end(client, run, follow=follow) for run in started])


def _show_started(started: Sequence[Run], output: str, *, follow: bool) -> None:
    """Print the started runs; only ids, on stderr, when the logs go to stdout."""
    if not follow:
        show(started, run_columns(), output, one=len(started) == 1)
        return
    for run in started:
        click.echo(run.id, err=True)


def _bodies(reference: str | None, filenames: Sequence[Path], image: str | None) -> list[Body]:
    if filenames:
        return [body for path in filenames for body in read_testruns(path)]
    body = options.without_empty(image=image)
    if image and not reference:
        body["name"] = options.image_name(image)
    return [body]


def _override(
    body: Body,
    program: Sequence[str],
    *,
    name: str | None,
    commands: Sequence[str],
    env: dict[str, str],
    labels: dict[str, str],
    timeout: int | None,
) -> Body:
    if commands or program:
        body = {field: value for field, value in body.items() if field not in PROGRAM_FIELDS}
    body = body | options.without_empty(
        name=name, commands=list(commands), command=list(program), timeoutSeconds=timeout
    )
    for field, more in (("env", env), ("labels", labels)):
        known = body.get(field) or {}
        if more and not isinstance(known, dict):
            raise click.UsageError(f"{field} of the manifest must be an object.")
        if more:
            body[field] = {**known, **more}
    return body


def _show_dry(
    client: ApiClient, definition_id: str | None, bodies: Sequence[Body], output: str
) -> None:
    path = f"/test-definitions/{definition_id}/run" if definition_id else "/test-runs"
    warn(f"nothing is sent; without --dry-run: POST {client.url}{path}")
    document = bodies[0] if len(bodies) == 1 else list(bodies)
    show_document(document, "json" if output == "json" else "yaml")
