"""The command run: create TestRuns from options and files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from sparktest.cli import options as run_options
from sparktest.cli.exits import Exit, ExitError, error_code, error_text, warn
from sparktest.cli.manifests.conversion import Manifest
from sparktest.cli.manifests.reading import read_manifests
from sparktest.cli.manifests.starting import start_all
from sparktest.cli.output import output_option, show_document
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.logs import follow_testrun
from sparktest.cli.plugin.new_testrun import build_testrun, describe_run
from sparktest.cli.plugin.options import DEFINITION, uses_cluster
from sparktest.cli.plugin.show import show_testruns
from sparktest.cli.plugin.testrun import KIND, TestRun
from sparktest.cli.plugin.waiting import wait_for_testrun
from sparktest.cli.waiting import first_failure, report_outcome
from sparktest.errors import SparkTestError
from sparktest.kube.fields import Object

# For each TestRun: its place in a file or "", its namespace, and its manifest without namespace.
Requests = Sequence[tuple[str, KubeContext, Object]]


@click.command("run", cls=run_options.RunCommand)
@click.argument(
    "definition",
    metavar="[DEFINITION] [-- PROGRAM [ARG]...]",
    required=False,
    shell_complete=DEFINITION,
)
@run_options.manifests_option
@click.option(
    "--image", metavar="IMAGE", help="The image to run; with a manifest, instead of its image."
)
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
    filenames: tuple[Path, ...],
    image: str | None,
    wait: bool,
    follow: bool,
    dry_run: bool,
    output: str,
    **options: Any,
) -> Exit:
    """Create TestRuns and print their names.

    Runs a definition (its name or full id in SparkTest), an image (--image), or the TestRuns,
    Jobs, CronJobs and Pods in files (-f). The words after -- are a program that runs without a
    shell.
    """
    if sum(map(bool, (definition, filenames, image and not filenames))) != 1:
        raise click.UsageError("Give one of: a definition, -f FILE, --image IMAGE.")
    options["program"] = run_options.program_args(options["commands"])
    documents = read_manifests(filenames) or [describe_run(definition, image)]
    if len(documents) > 1 and options["name"]:
        raise click.UsageError(f"--name is for one TestRun; the files hold {len(documents)}.")
    requests = [
        (each.place, _namespaced(kube, each), build_testrun(each, image=image, **options))
        for each in documents
    ]
    if dry_run:
        _show_dry([(at.namespace, manifest) for _, at, manifest in requests], output)
        return Exit.PASSED
    return _start(requests, output, wait=wait, follow=follow)


def _start(requests: Requests, output: str, *, wait: bool, follow: bool) -> Exit:
    """Create all TestRuns, then wait for one after the other."""
    if len(requests) > 1:
        _check(requests)

    def create(kube: KubeContext, manifest: Object) -> tuple[KubeContext, TestRun]:
        return kube, kube.create(manifest)

    def show_at_once(created: tuple[KubeContext, TestRun]) -> None:
        if follow:
            click.echo(f"{KIND}/{created[1].name}", err=True)
        elif output == "name":
            # The next one may fail, and this one is already running.
            show_testruns([created[1]], output)

    starters = [(place, partial(create, kube, manifest)) for place, kube, manifest in requests]
    started = start_all(starters, show_at_once)
    if not follow and output != "name":
        testruns = [testrun for _, testrun in started.runs]
        show_testruns(testruns, output, one=len(testruns) == 1)
    codes = []
    if wait or follow:
        codes = [_follow_to_end(kube, testrun, follow=follow) for kube, testrun in started.runs]
    started.finish()
    return first_failure(codes)


def _check(requests: Requests) -> None:
    """Let the cluster check all TestRuns before the first one is created."""
    for place, kube, manifest in requests:
        try:
            kube.create(manifest, dry_run=True)
        except SparkTestError as error:
            text = f"{place}: {error_text(error)}; nothing was started"
            raise ExitError(text, error_code(error)) from error


def _follow_to_end(kube: KubeContext, testrun: TestRun, *, follow: bool) -> Exit:
    if follow:
        testrun = follow_testrun(kube, testrun)
    return report_outcome(wait_for_testrun(kube, testrun))


def _show_dry(manifests: Sequence[tuple[str, Object]], output: str) -> None:
    warn("nothing is created; without --dry-run this would be")
    objects = [
        {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
        for namespace, manifest in manifests
    ]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    show_document(
        objects[0] if len(objects) == 1 else listed, "json" if output == "json" else "yaml"
    )


def _namespaced(kube: KubeContext, document: Manifest) -> KubeContext:
    """Return the namespace of a document, chosen as kubectl does.

    Raises:
        UsageError: it is not the one of the option.
    """
    namespace = document.metadata.get("namespace", kube.namespace)
    if kube.is_namespace_given and namespace != kube.namespace:
        raise click.UsageError(
            f"{document.place}: metadata.namespace: is {namespace}, but --namespace "
            f"{kube.namespace}; nothing was started."
        )
    return kube._replace(namespace=namespace)
