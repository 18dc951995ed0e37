"""The command run: create a TestRun from options."""

import re
from collections.abc import Sequence
from typing import Any

import click

from sparktest.cli import options as run_options
from sparktest.cli.exits import Exit, warn
from sparktest.cli.lookup import FULL_ID
from sparktest.cli.output import output_option, show_document
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.logs import follow_testrun
from sparktest.cli.plugin.options import DEFINITION, uses_cluster
from sparktest.cli.plugin.show import show_testruns
from sparktest.cli.plugin.testrun import KIND
from sparktest.cli.plugin.waiting import wait_for_testrun
from sparktest.cli.waiting import report_outcome
from sparktest.kube.fields import Object

API_VERSION = "sparktest.dev/v1alpha1"
# Kubernetes appends to it, and the Job's name is longer still.
MAX_BASE = 40


@click.command("run", cls=run_options.RunCommand)
@click.argument(
    "definition",
    metavar="[DEFINITION] [-- PROGRAM [ARG]...]",
    required=False,
    shell_complete=DEFINITION,
)
@click.option("--image", metavar="IMAGE", help="Run an image, without a definition.")
@run_options.commands_option
@run_options.env_option
@run_options.label_option
@click.option("--name", metavar="NAME", help="Of the TestRun; generated otherwise.")
@run_options.timeout_option
@click.option(
    "--ttl",
    type=run_options.WholeNumber(0),
    metavar="SECONDS",
    help="Delete the Job this long after its end.",
)
@click.option("--service-account", metavar="NAME", help="The ServiceAccount that the test runs as.")
@run_options.wait_option
@run_options.follow_option
@run_options.dry_run_option
@output_option("name")
@uses_cluster
def run(
    kube: KubeContext,
    definition: str | None,
    image: str | None,
    wait: bool,
    follow: bool,
    dry_run: bool,
    output: str,
    **options: Any,
) -> Exit:
    """Create a TestRun and print its name.

    Run a definition (its name or full id in SparkTest) or an image (--image). What follows -- is
    run without a shell.
    """
    if bool(definition) == bool(image):
        raise click.UsageError("Give one of: a definition, --image IMAGE.")
    program = run_options.program_args(options["commands"])
    manifest = build_manifest(definition, image, program, **options)
    if dry_run:
        manifest["metadata"]["namespace"] = kube.namespace
        warn("nothing is created; without --dry-run this would be")
        show_document(manifest, "json" if output == "json" else "yaml")
        return Exit.PASSED
    testrun = kube.create(manifest)
    if follow:
        click.echo(f"{KIND}/{testrun.name}", err=True)
        testrun = follow_testrun(kube, testrun)
    else:
        show_testruns([testrun], output, one=True)
    if wait or follow:
        return report_outcome(wait_for_testrun(kube, testrun))
    return Exit.PASSED


def build_manifest(
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
    """Return the manifest of a TestRun, without a namespace."""
    by_id = definition and FULL_ID.fullmatch(definition)
    spec = run_options.without_empty(
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
    base = _name_base("test" if by_id else definition or run_options.image_name(image or ""))
    named = {"name": name} if name else {"generateName": f"{base}-"}
    metadata = named | run_options.without_empty(labels=labels)
    return {"apiVersion": API_VERSION, "kind": "TestRun", "metadata": metadata, "spec": spec}


def _name_base(text: str) -> str:
    """Return the text as the beginning of the name of a Kubernetes object."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower())[:MAX_BASE].strip("-")
    return safe or "test"
