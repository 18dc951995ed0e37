"""Waiting for a run: what becomes of it as lines on stderr, its outcome as exit code."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

from sparktest.cli.candidates import RUN
from sparktest.cli.door import say, uses_api
from sparktest.cli.exits import Exit, of_run
from sparktest.cli.references import find_run
from sparktest.errors import SparkTestError
from sparktest.run_fields import run_duration

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run

POLL_SECONDS = 0.5
# An API that restarts is back within this; a wait of hours should not end for it.
PATIENCE_SECONDS = 30.0

T = TypeVar("T")


@click.command("wait")
@click.argument("references", metavar="RUN...", nargs=-1, required=True, shell_complete=RUN)
@uses_api
def wait(client: "ApiClient", references: tuple[str, ...]) -> Exit:
    """Wait until runs have ended.

    The exit code says how: 0 passed, 1 the test failed, 3 infrastructure or configuration failed,
    4 timed out, 5 cancelled, 6 the API is not reachable. Of several, the first that did not pass
    decides.
    """
    named = [find_run(client, reference) for reference in references]
    return first_that_counts([outcome(until(client, run, has_ended)) for run in named])


def has_ended(run: "Run") -> bool:
    """Whether the run is over."""
    return run.status.final


def first_that_counts(codes: Iterable[Exit]) -> Exit:
    """The code of several runs: of the first that did not pass, in the order of the runs."""
    return next((code for code in codes if code is not Exit.PASSED), Exit.PASSED)


def outcome(run: "Run") -> Exit:
    """The exit code of a run that has ended, after a line that says how it ended."""
    text = f"{run.name} {run.status.value.replace('_', ' ')}"
    duration = run_duration(run, datetime.now(UTC))
    if duration:
        text += f" in {duration}"
    if run.failure:
        text += f": {run.failure.class_.value}, {run.failure.reason}"
        text += f": {run.failure.message}" if run.failure.message else ""
    say(text)
    return of_run(run)


def until(client: "ApiClient", run: "Run", reached: Callable[["Run"], bool]) -> "Run":
    """The run once it has reached something; every change of it until then is said."""
    said = ""
    try:
        while True:
            told = _progress(run)
            if told != said and not run.status.final:
                say(told)
            if reached(run):
                return run
            said = told
            time.sleep(POLL_SECONDS)
            run = patiently(partial(client.get_run, run.id))
    except KeyboardInterrupt:
        say(f"{run.name} goes on; see: sparktest wait {run.id}, sparktest cancel {run.id}")
        raise


def patiently(call: Callable[[], T]) -> T:
    """What the call answers, called again while it fails in a way that may pass.

    Raises:
        SparkTestError: what it raised last, after `PATIENCE_SECONDS` or if it cannot pass.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call()
        except SparkTestError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


def _progress(run: "Run") -> str:
    text = f"{run.name} {run.status.value}"
    if run.status_reason:
        text += f": {run.status_reason}"
    return f"{text}: {run.status_message}" if run.status_message else text
