"""The command run of the plugin: a new TestRun, without a manifest to write."""

import re
from collections.abc import Sequence
from typing import Any

import click

from sparktest.cli.exits import Exit, warn
from sparktest.cli.lookup import FULL_ID
from sparktest.cli.options import (
    RunCommand,
    commands_option,
    dry_run_option,
    env_option,
    follow_option,
    image_name,
    label_option,
    program_args,
    timeout_option,
    wait_option,
    without_empty,
)
from sparktest.cli.output import output_option, show_document
from sparktest.cli.plugin.candidates import DEFINITION
from sparktest.cli.plugin.ending import has_ended, outcome, until
from sparktest.cli.plugin.logs import follow_testrun
from sparktest.cli.plugin.place import Object, Place, uses_cluster
from sparktest.cli.plugin.show import show_testruns
from sparktest.cli.plugin.testrun import KIND, TestRun

API_VERSION = "sparktest.dev/v1alpha1"
# Room for what Kubernetes appends, and for the rest of the Job's name.
LONGEST_BASE = 40


@click.command("run", cls=RunCommand)
@click.argument(
    "definition",
    metavar="[DEFINITION] [-- PROGRAM [ARG]...]",
    required=False,
    shell_complete=DEFINITION,
)
@click.option("--image", metavar="IMAGE", help="Run an image, without a definition.")
@commands_option
@env_option
@label_option
@click.option("--name", metavar="NAME", help="Of the TestRun; one is made up otherwise.")
@timeout_option
@click.option(
    "--ttl", type=click.IntRange(0), metavar="SECONDS", help="Delete the Job so long after its end."
)
@click.option("--service-account", metavar="NAME", help="Whose rights the test has.")
@wait_option
@follow_option
@dry_run_option
@output_option("name")
@uses_cluster
def run(
    place: Place,
    definition: str | None,
    image: str | None,
    wait: bool,
    follow: bool,
    dry_run: bool,
    output: str,
    **options: Any,
) -> Exit:
    """Create a TestRun and print its name.

    What to run is a definition (its name or whole id in SparkTest) or an image (--image). What
    follows -- is run without a shell.
    """
    if bool(definition) == bool(image):
        raise click.UsageError("Give one of: a definition, --image IMAGE.")
    program = program_args(options["commands"])
    manifest = of_options(definition, image, program, **options)
    if dry_run:
        manifest["metadata"]["namespace"] = place.namespace
        warn("nothing is created; without --dry-run this is")
        show_document(manifest, "json" if output == "json" else "yaml")
        return Exit.PASSED
    testrun = TestRun(place.create(manifest))
    if follow:
        click.echo(f"{KIND}/{testrun.name}", err=True)
        testrun = follow_testrun(place, testrun)
    else:
        show_testruns([testrun], output, one=True)
    return outcome(until(place, testrun, has_ended)) if wait or follow else Exit.PASSED


def of_options(
    definition: str | None,
    image: str | None,
    program: Sequence[str],
    *,
    name: str | None,
    commands: Sequence[str],
    env: dict[str, str],
    labels: dict[str, str],
    timeout: int | None,
    ttl: int | None,
    service_account: str | None,
) -> Object:
    """The manifest of a TestRun, without a namespace."""
    by_id = definition and FULL_ID.fullmatch(definition)
    spec = without_empty(
        definitionId=definition if by_id else None,
        definitionName=None if by_id else definition,
        image=image,
        commands=list(commands),
        command=list(program),
        env=env,
        timeoutSeconds=timeout,
        serviceAccountName=service_account,
    )
    if ttl is not None:
        spec["ttlSecondsAfterFinished"] = ttl
    base = _base("test" if by_id else definition or image_name(image or ""))
    named = {"name": name} if name else {"generateName": f"{base}-"}
    metadata = named | without_empty(labels=labels)
    return {"apiVersion": API_VERSION, "kind": "TestRun", "metadata": metadata, "spec": spec}


def _base(text: str) -> str:
    """The text as the beginning of a name in Kubernetes."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower())[:LONGEST_BASE].strip("-")
    return safe or "test"
