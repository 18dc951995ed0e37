"""The commands wait and cancel."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click

from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.options import LIVE_TESTRUN, TESTRUN, uses_cluster
from sparktest.cli.plugin.testrun import TestRun
from sparktest.cli.waiting import (
    first_failure,
    has_ended,
    progress_text,
    report_outcome,
    wait_until,
)

# A running controller handles a new TestRun long before this.
UNHANDLED_AGE = timedelta(seconds=15)


@click.command("wait")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=TESTRUN)
@uses_cluster
def wait(kube: KubeContext, names: tuple[str, ...]) -> Exit:
    """Wait until TestRuns have ended.

    The exit code is the outcome: 0 passed, 1 the test failed, 3 infrastructure or configuration
    failed, 4 timed out, 5 cancelled, 6 the cluster is not reachable. With several TestRuns, it is
    that of the first that did not pass.
    """
    found = [kube.testrun(name) for name in names]
    return first_failure([report_outcome(wait_for_testrun(kube, each)) for each in found])


@click.command("cancel")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=LIVE_TESTRUN)
@uses_cluster
def cancel(kube: KubeContext, names: tuple[str, ...]) -> None:
    """Cancel TestRuns; their logs are kept."""
    # Find all of them first, so that a typing error in the last cancels none.
    found = [kube.testrun(name) for name in names]
    for testrun in found:
        if testrun.status.final:
            raise ExitError(f"{testrun.name} has already ended: {testrun.status.phase}", Exit.USAGE)
    for testrun in found:
        kube.cancel(testrun.name)
        warn(f"{testrun.name} is being cancelled")


def wait_for_testrun(
    kube: KubeContext, testrun: TestRun, condition: Callable[[TestRun], bool] = has_ended
) -> TestRun:
    """Wait until the TestRun meets the condition, and return it; print its progress.

    Raises:
        ExitError: it was deleted before.
    """
    try:
        return wait_until(
            testrun,
            refresh=kube.refresh,
            condition=condition,
            progress=lambda known: "" if condition(known) else _progress(known),
        )
    except KeyboardInterrupt:
        command = f"kubectl sparktest wait {kube.arguments(testrun)}"
        warn(f"{testrun.name} continues; see: {command}")
        raise


def _progress(testrun: TestRun) -> str:
    if not testrun.is_handled and datetime.now(UTC) - testrun.created_at > UNHANDLED_AGE:
        return f"{testrun.name} waits for a controller; see: sparktest doctor"
    return progress_text(testrun)
