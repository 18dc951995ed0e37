"""The commands run and rerun: new runs of a definition, of manifests, of an image, or again."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparktest.cli import wishes
from sparktest.cli.candidates import DEFINITION, RUN
from sparktest.cli.door import say, uses_api
from sparktest.cli.exits import Exit
from sparktest.cli.logs import followed, write_log
from sparktest.cli.output import output_option, show, show_document
from sparktest.cli.references import find_definition, find_run
from sparktest.cli.run_table import columns
from sparktest.cli.waiting import first_that_counts, has_ended, outcome, patiently, until

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run

Body = dict[str, Any]
# One of them given replaces the others of a manifest.
PROGRAM = ("commands", "command", "args")


@click.command("run", cls=wishes.RunCommand)
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
    type=wishes.file_type,
    metavar="FILE",
    multiple=True,
    help="TestRun manifests, run without TestRun objects; - is stdin. Repeatable.",
)
@click.option("--image", metavar="IMAGE", help="Without a definition, or instead of its image.")
@wishes.commands_option
@wishes.env_option
@wishes.label_option
@click.option("--name", metavar="NAME")
@wishes.timeout_option
@wishes.wait_option
@wishes.follow_option
@wishes.dry_run_option
@output_option("name")
@uses_api
def run(
    client: "ApiClient",
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

    What to run is a definition (id, beginning of its id, or name), manifests (-f) or an image
    (--image). What follows -- is run without a shell.
    """
    if bool(filenames) == bool(reference or image):
        raise click.UsageError("Give one of: a definition, -f FILE, --image IMAGE.")
    program = wishes.program(overrides["commands"])
    bodies = [_with(body, program, **overrides) for body in _bodies(reference, filenames, image)]
    if len(bodies) > 1 and overrides["name"]:
        raise click.UsageError(f"--name is for one run; the files hold {len(bodies)}.")
    definition_id = find_definition(client, reference).id if reference else None
    if dry_run:
        _show_dry(client, definition_id, bodies, output)
        return Exit.PASSED
    return _started(client, definition_id, bodies, output, wait=wait, follow=follow)


@click.command("rerun")
@click.argument("reference", metavar="RUN", shell_complete=RUN)
@wishes.wait_option
@wishes.follow_option
@output_option("name")
@uses_api
def rerun(client: "ApiClient", reference: str, wait: bool, follow: bool, output: str) -> Exit:
    """Start a new run of what a run ran, and print its id."""
    started = client.rerun_run(find_run(client, reference).id)
    _tell([started], output, follow=follow)
    return attend(client, started, follow=follow) if wait or follow else Exit.PASSED


def attend(client: "ApiClient", started: "Run", *, follow: bool) -> Exit:
    """The exit code of the run, once it has ended; with its log on stdout if followed."""
    if follow:
        started = until(client, started, lambda run: run.status.value != "pending")
        try:
            write_log(followed(client, started.id))
        except KeyboardInterrupt:
            say(f"{started.name} goes on; see: sparktest logs -f {started.id}")
            raise
        started = patiently(partial(client.get_run, started.id))
    return outcome(until(client, started, has_ended))


def _started(
    client: "ApiClient",
    definition_id: str | None,
    bodies: Sequence[Body],
    output: str,
    *,
    wait: bool,
    follow: bool,
) -> Exit:
    """Start all, then attend to one after the other."""
    started: list[Run] = []
    for body in bodies:
        if definition_id:
            started.append(client.run_definition(definition_id, body))
        else:
            started.append(client.create_run(body))
        if output == "name":
            # At once: what comes after it may fail, and this one is under way.
            _tell(started[-1:], output, follow=follow)
    if output != "name":
        _tell(started, output, follow=follow)
    if not (wait or follow):
        return Exit.PASSED
    return first_that_counts([attend(client, run, follow=follow) for run in started])


def _tell(started: Sequence["Run"], output: str, *, follow: bool) -> None:
    """Print what was started; beside stdout where the log goes there."""
    if not follow:
        show(started, columns(), output, one=len(started) == 1)
        return
    for run in started:
        click.echo(run.id, err=True)


def _bodies(reference: str | None, filenames: Sequence[Path], image: str | None) -> list[Body]:
    if filenames:
        from sparktest.cli.manifests import of_testruns

        return [body for path in filenames for body in of_testruns(path)]
    body = wishes.given(image=image)
    if image and not reference:
        body["name"] = wishes.name_of_image(image)
    return [body]


def _with(
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
        body = {field: value for field, value in body.items() if field not in PROGRAM}
    body = body | wishes.given(
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
    client: "ApiClient", definition_id: str | None, bodies: Sequence[Body], output: str
) -> None:
    path = f"/test-definitions/{definition_id}/run" if definition_id else "/test-runs"
    say(f"nothing is sent; without --dry-run: POST {client.url}{path}")
    document = bodies[0] if len(bodies) == 1 else list(bodies)
    show_document(document, "json" if output == "json" else "yaml")
