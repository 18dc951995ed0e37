"""The command wait; waiting with progress on stderr, retries, and the exit code of a run."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

import click

from sparktest.backoff import Backoff
from sparktest.cli.completion import RUN
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, outcome_code, warn
from sparktest.cli.lookup import find_run
from sparktest.client import ApiClient
from sparktest.domain import Run
from sparktest.errors import SparkTestError
from sparktest.run_fields import run_duration

POLL_SECONDS = 0.5
# Long enough for an API to restart.
RETRY_SECONDS = 30.0
BACKOFF = Backoff(first=0.5, cap=4.0)


T = TypeVar("T")


@click.command("wait")
@click.argument("references", metavar="RUN...", nargs=-1, required=True, shell_complete=RUN)
@uses_api
def wait(client: ApiClient, references: tuple[str, ...]) -> Exit:
    """Wait until runs have ended.

    The exit code is the outcome: 0 passed, 1 the test failed, 3 infrastructure or configuration
    failed, 4 timed out, 5 cancelled, 6 the API is not reachable. With several runs, it is that of
    the first that did not pass.
    """
    found = [find_run(client, reference) for reference in references]
    return first_failure([report_outcome(wait_for_run(client, run)) for run in found])


def first_failure(codes: Iterable[Exit]) -> Exit:
    """Return the exit code of the first run that did not pass, in the order of the runs."""
    return next((code for code in codes if code is not Exit.PASSED), Exit.PASSED)


def has_ended(run: Run) -> bool:
    """Return True when the run has ended."""
    return run.status.final


def report_outcome(run: Run) -> Exit:
    """Print how the run ended, and return its exit code."""
    text = f"{run.name} {run.status.value.replace('_', ' ')}"
    duration = run_duration(run, datetime.now(UTC))
    if duration:
        text += f" in {duration}"
    if run.failure:
        text += f": {run.failure.class_.value}, {run.failure.reason}"
        text += f": {run.failure.message}" if run.failure.message else ""
    warn(text)
    return outcome_code(run.status.value, run.failure.class_.value if run.failure else None)


def progress_text(run: Run) -> str:
    """Return the status of a run that has not ended, and what it waits for."""
    text = f"{run.name} {run.status.value}"
    if run.status_reason:
        text += f": {run.status_reason}"
    return f"{text}: {run.status_message}" if run.status_message else text


def wait_for_run(client: ApiClient, run: Run, condition: Callable[[Run], bool] = has_ended) -> Run:
    """Wait until the run meets the condition, and return it; print its progress."""
    try:
        return wait_until(
            run,
            refresh=lambda known: client.get_run(known.id),
            condition=condition,
            progress=lambda known: "" if known.status.final else progress_text(known),
        )
    except KeyboardInterrupt:
        warn(f"{run.name} continues; see: sparktest wait {run.id}, sparktest cancel {run.id}")
        raise


def wait_until(
    value: T,
    *,
    refresh: Callable[[T], T],
    condition: Callable[[T], bool],
    progress: Callable[[T], str],
) -> T:
    """Refresh a value until it meets the condition, and return it.

    Args:
        value: the last known value.
        refresh: returns the current value; retried while the server is unavailable.
        condition: when to stop.
        progress: a line for the user, printed when it changes; "" prints nothing.
    """
    printed = ""
    while True:
        text = progress(value)
        if text and text != printed:
            warn(text)
            printed = text
        if condition(value):
            return value
        time.sleep(POLL_SECONDS)
        known = value
        value = retry(lambda: refresh(known))  # noqa: B023 - called before the next round


def retry(call: Callable[[], T]) -> T:
    """Call the function until it succeeds, and return its result.

    Raises:
        SparkTestError: the last error, after `RETRY_SECONDS` or when a retry cannot help.
    """
    deadline = time.monotonic() + RETRY_SECONDS
    failures = 0
    while True:
        try:
            return call()
        except SparkTestError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
        time.sleep(BACKOFF.delay(failures))
        failures += 1
