"""Commands of the plugin about the end of a TestRun: wait and cancel."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import click

from sparktest.cli import waiting
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.plugin.candidates import LIVE_TESTRUN, TESTRUN
from sparktest.cli.plugin.place import Place, uses_cluster
from sparktest.cli.plugin.testrun import TestRun, moment, plain_name
from sparktest.cli.waiting import first_failure, retry
from sparktest.errors import NotFoundError

# A controller that works has looked at a new TestRun long before.
UNSEEN_SECONDS = 15.0


@click.command("wait")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=TESTRUN)
@uses_cluster
def wait(place: Place, names: tuple[str, ...]) -> Exit:
    """Wait until TestRuns have ended.

    The exit code says how: 0 passed, 1 the test failed, 3 infrastructure or configuration failed,
    4 timed out, 5 cancelled, 6 the cluster is not reachable. Of several, the first that did not
    pass decides.
    """
    found = [TestRun(place.testrun(plain_name(name))) for name in names]
    return first_failure([outcome(until(place, each, has_ended)) for each in found])


@click.command("cancel")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=LIVE_TESTRUN)
@uses_cluster
def cancel(place: Place, names: tuple[str, ...]) -> None:
    """Ask for TestRuns to be stopped; their logs are kept."""
    # All of them are found first: a slip in the last stops nothing.
    found = [TestRun(place.testrun(plain_name(name))) for name in names]
    for testrun in found:
        if testrun.ended:
            raise ExitError(f"{testrun.name} has already ended: {testrun.phase}", Exit.USAGE)
    for testrun in found:
        place.patch(testrun.name, {"spec": {"cancelled": True}})
        warn(f"{testrun.name} is being stopped")


def outcome(testrun: TestRun) -> Exit:
    """The exit code of a TestRun that has ended, after a line that says how it ended."""
    warn(testrun.told())
    return testrun.exit_code()


def has_ended(testrun: TestRun) -> bool:
    """Whether it is over."""
    return testrun.ended


def until(place: Place, testrun: TestRun, reached: Callable[[TestRun], bool]) -> TestRun:
    """The TestRun once it has reached something; every change of it until then is said.

    Raises:
        ExitError: it was deleted before.
    """
    said = ""
    try:
        while not reached(testrun):
            told = _progress(testrun)
            if told != said:
                warn(told)
            said = told
            pause()
            testrun = _again(place, testrun)
    except KeyboardInterrupt:
        where = f"{testrun.name} -n {testrun.namespace}"
        warn(f"{testrun.name} goes on; see: kubectl sparktest wait {where}")
        raise
    return testrun


def pause() -> None:
    """Let some time pass between two looks at a TestRun."""
    time.sleep(waiting.POLL_SECONDS)


def _again(place: Place, before: TestRun) -> TestRun:
    """The same TestRun as it is now."""
    try:
        now = TestRun(retry(lambda: place.testrun(before.name)))
    except NotFoundError:
        now = None
    if now is None or now.uid != before.uid:
        raise ExitError(f"{before.name} was deleted before it had ended", Exit.INFRA)
    return now


def _progress(testrun: TestRun) -> str:
    created = moment(testrun.metadata.get("creationTimestamp"))
    if not testrun.seen and created:
        waited = (datetime.now(UTC) - created).total_seconds()
        if waited > UNSEEN_SECONDS:
            return f"{testrun.name} waits for a controller; see: sparktest doctor"
    return testrun.told()
