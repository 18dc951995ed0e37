"""The commands run and rerun: start runs of definitions, manifests, images, or earlier runs."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from sparktest import kubectl
from sparktest.cli import options
from sparktest.cli.completion import DEFINITION, RUN
from sparktest.cli.context import known_clusters, uses_api
from sparktest.cli.exits import Exit, ExitError, error_code, error_text, warn
from sparktest.cli.logs import follow_run
from sparktest.cli.lookup import find_definition, find_run
from sparktest.cli.manifests.conversion import Manifest
from sparktest.cli.manifests.overrides import override_spec
from sparktest.cli.manifests.reading import read_manifests
from sparktest.cli.manifests.starting import start_all
from sparktest.cli.output import output_option, show, show_document
from sparktest.cli.run_output import run_columns
from sparktest.cli.waiting import first_failure, report_outcome, retry, wait_for_run
from sparktest.client import ApiClient
from sparktest.domain import Run, Status
from sparktest.errors import ConflictError, ForbiddenError

Body = dict[str, Any]
MAX_REPEAT = 500


@click.command("run", cls=options.RunCommand)
@click.argument(
    "reference",
    metavar="[DEFINITION] [-- PROGRAM [ARG]...]",
    required=False,
    shell_complete=DEFINITION,
)
@options.manifests_option
@click.option(
    "--image",
    metavar="IMAGE",
    help="The image to run; with a definition or a manifest, instead of its image.",
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
@click.option(
    "--repeat",
    type=options.WholeNumber(1, MAX_REPEAT),
    default=1,
    metavar="NUMBER",
    help="Start this many runs of it, all at once; the exit code is that of the first that fails.",
)
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
    repeat: int,
    wait: bool,
    follow: bool,
    dry_run: bool,
    output: str,
    **overrides: Any,
) -> Exit:
    """Start a run and print its id.

    Runs a definition (its name, id, or the first characters of its id), an image (--image), or the
    TestRuns, Jobs, CronJobs and Pods in files (-f), of which it creates no objects. The words after
    -- are a program that runs without a shell.
    """
    if (filenames and reference) or not (filenames or reference or image):
        raise click.UsageError("Give one of: a definition, -f FILE, --image IMAGE.")
    program = options.program_args(overrides["commands"])
    manifests = read_manifests(filenames)
    named = options.image_name(image) if image and not reference else None
    bodies = [_manifest_body(each) for each in manifests] or [options.without_empty(name=named)]
    bodies = [_override(body, program=program, image=image, **overrides) for body in bodies]
    if len(bodies) > 1 and overrides["name"]:
        raise click.UsageError(f"--name is for one run; the files hold {len(bodies)}.")
    definition_id = find_definition(client, reference).id if reference else None
    if dry_run:
        _show_dry(client, definition_id, bodies, repeat, output)
        return Exit.PASSED
    sources: list[Manifest | None] = [*manifests] or [None]
    starter = partial(_start_several, repeat) if repeat > 1 else _start_one
    starters = [
        (source.place if source else "", partial(starter, client, definition_id, source, body))
        for source, body in zip(sources, bodies, strict=True)
    ]
    return _start(client, starters, output, wait=wait, follow=follow)


@click.command("rerun", cls=options.RunCommand)
@click.argument("reference", metavar="RUN [-- PROGRAM [ARG]...]", shell_complete=RUN)
@click.option("--image", metavar="IMAGE", help="Instead of the run's image.")
@options.commands_option
@options.env_option
@options.label_option
@click.option("--name", metavar="NAME", help="The name of the new run; default: that of the run.")
@options.timeout_option
@options.wait_option
@options.follow_option
@output_option("name")
@uses_api
def rerun(
    client: ApiClient, reference: str, wait: bool, follow: bool, output: str, **overrides: Any
) -> Exit:
    """Repeat a run, and print the id of the new one.

    It has the namespace and the fields of the run, but for those that options give. The words
    after -- are a program that runs without a shell.
    """
    program = options.program_args(overrides["commands"])
    body = _override({}, program=program, **overrides)
    run = find_run(client, reference)
    try:
        started = client.rerun_run(run.id, body)
    except (ConflictError, ForbiddenError) as error:
        if run.k8s_ref is None:
            raise
        clusters = known_clusters(client)
        if warning := clusters.warning(run):
            warn(warning)
        command = kubectl.recreate(run, target=clusters.target(run))
        text = f"{error_text(error)}; to create its TestRun again: {command}"
        raise ExitError(text, error_code(error)) from error
    show_started([started], output, follow=follow)
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


def _start_one(
    client: ApiClient, definition_id: str | None, manifest: Manifest | None, body: Body
) -> list[Run]:
    run = client.run_definition(definition_id, body) if definition_id else client.create_run(body)
    _warn_of_namespace(manifest, run)
    return [run]


def _start_several(
    repeat: int, client: ApiClient, definition_id: str | None, manifest: Manifest | None, body: Body
) -> list[Run]:
    (result,) = client.create_runs([_item(definition_id, body)], repeat=repeat)
    runs = result.started()
    _warn_of_namespace(manifest, runs[0])
    return runs


def _item(definition_id: str | None, body: Body) -> Body:
    """Return the body as an item of a batch."""
    return body | options.without_empty(definitionId=definition_id)


def _warn_of_namespace(manifest: Manifest | None, run: Run) -> None:
    wanted = manifest.metadata.get("namespace", run.namespace) if manifest else run.namespace
    if manifest and wanted != run.namespace:
        warn(f"{manifest.place}: runs in the API's namespace {run.namespace}, not in {wanted}")


def _start(
    client: ApiClient,
    starters: Sequence[tuple[str, Callable[[], list[Run]]]],
    output: str,
    *,
    wait: bool,
    follow: bool,
) -> Exit:
    """Start all runs, then wait for one after the other."""

    def show_at_once(runs: list[Run]) -> None:
        if output == "name":
            # The next one may fail, and these are already running.
            show_started(runs, output, follow=follow)

    started = start_all(starters, show_at_once)
    runs = [run for each in started.runs for run in each]
    if output != "name":
        show_started(runs, output, follow=follow)
    codes = []
    if wait or follow:
        codes = [follow_to_end(client, run, follow=follow) for run in runs]
    started.finish()
    return first_failure(codes)


def show_started(started: Sequence[Run], output: str, *, follow: bool) -> None:
    """Print the started runs; only ids, on stderr, when the logs go to stdout."""
    if not follow:
        show(started, run_columns(), output, one=len(started) == 1)
        return
    for run in started:
        click.echo(run.id, err=True)


def _manifest_body(manifest: Manifest) -> Body:
    labels = options.without_empty(labels=manifest.metadata.get("labels"))
    return {"name": manifest.name, **labels, **manifest.spec}


def _override(body: Body, *, name: str | None, labels: dict[str, str], **overrides: Any) -> Body:
    """Return the body with the options of the command line, among them those of the spec."""
    body = override_spec(body, **overrides) | options.without_empty(name=name)
    if labels:
        body["labels"] = {**body.get("labels", {}), **labels}
    return body


def _show_dry(
    client: ApiClient, definition_id: str | None, bodies: Sequence[Body], repeat: int, output: str
) -> None:
    path = f"/test-definitions/{definition_id}/run" if definition_id else "/test-runs"
    if repeat > 1:
        path = "/test-runs:batch"
        bodies = [{"items": [_item(definition_id, body)], "repeat": repeat} for body in bodies]
    warn(f"nothing is sent; without --dry-run: POST {client.url}{path}")
    document = bodies[0] if len(bodies) == 1 else list(bodies)
    show_document(document, "json" if output == "json" else "yaml")
