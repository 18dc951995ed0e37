"""The commands wait and cancel."""

from collections.abc import Callable
from datetime import UTC, datetime

import click

from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.options import LIVE_TESTRUN, TESTRUN, uses_cluster
from sparktest.cli.plugin.testrun import TestRun, plain_name
from sparktest.cli.waiting import first_failure, wait_until
from sparktest.errors import NotFoundError

# A running controller handles a new TestRun long before this.
UNHANDLED_SECONDS = 15.0


@click.command("wait")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=TESTRUN)
@uses_cluster
def wait(kube: KubeContext, names: tuple[str, ...]) -> Exit:
    """Wait until TestRuns have ended.

    The exit code says how: 0 passed, 1 the test failed, 3 infrastructure or configuration failed,
    4 timed out, 5 cancelled, 6 the cluster is not reachable. Of several, the first that did not
    pass decides.
    """
    found = [kube.testrun(plain_name(name)) for name in names]
    return first_failure([report_outcome(wait_for_testrun(kube, each)) for each in found])


@click.command("cancel")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=LIVE_TESTRUN)
@uses_cluster
def cancel(kube: KubeContext, names: tuple[str, ...]) -> None:
    """Ask for TestRuns to be stopped; their logs are kept."""
    # All of them are looked up first: a typo in the last name cancels nothing.
    found = [kube.testrun(plain_name(name)) for name in names]
    for testrun in found:
        if testrun.ended:
            raise ExitError(f"{testrun.name} has already ended: {testrun.phase}", Exit.USAGE)
    for testrun in found:
        kube.patch(testrun.name, {"spec": {"cancelled": True}})
        warn(f"{testrun.name} is being stopped")


def report_outcome(testrun: TestRun) -> Exit:
    """Print how the TestRun ended, and return its exit code."""
    warn(testrun.summary())
    return testrun.exit_code()


def has_ended(testrun: TestRun) -> bool:
    """Return True when the TestRun has ended."""
    return testrun.ended


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
            refresh=lambda known: refresh(kube, known),
            condition=condition,
            progress=lambda known: "" if condition(known) else _progress(known),
        )
    except KeyboardInterrupt:
        command = f"kubectl sparktest wait {kube.arguments(testrun)}"
        warn(f"{testrun.name} continues; see: {command}")
        raise


def refresh(kube: KubeContext, known: TestRun) -> TestRun:
    """Return the TestRun as it is now.

    Raises:
        ExitError: it was deleted, and perhaps another one was created with its name.
    """
    try:
        found = kube.testrun(known.name)
    except NotFoundError:
        found = None
    if found is None or found.uid != known.uid:
        raise ExitError(f"{known.name} was deleted before it ended", Exit.INFRA)
    return found


def _progress(testrun: TestRun) -> str:
    age = testrun.age_seconds(datetime.now(UTC))
    if not testrun.handled and age is not None and age > UNHANDLED_SECONDS:
        return f"{testrun.name} waits for a controller; see: sparktest doctor"
    return testrun.summary()
