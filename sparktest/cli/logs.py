"""The command logs: raw bytes for a pipe, safe text for a terminal."""

import shlex
import sys
import time
from collections.abc import Callable, Iterator

import click

from sparktest.cli import options, waiting
from sparktest.cli.completion import CONTAINER, RUN
from sparktest.cli.context import uses_api
from sparktest.cli.exits import warn
from sparktest.cli.lookup import find_run
from sparktest.cli.output import on_terminal
from sparktest.client import ApiClient
from sparktest.domain import LogState, Run
from sparktest.errors import SparkTestError
from sparktest.sanitize import StreamCleaner


@click.command("logs")
@click.argument("reference", metavar="RUN", shell_complete=RUN)
@click.option("-f", "--follow", is_flag=True, help="Print new lines until the run has ended.")
@options.tail_option
@options.container_option(CONTAINER)
@uses_api
def logs(
    client: ApiClient, reference: str, follow: bool, tail: int | None, container: str | None
) -> None:
    """Print the log of a run.

    Stored logs are available after the pod is gone.
    """
    if follow and tail is not None:
        raise click.UsageError("Give --follow or --tail, not both.")
    run = find_run(client, reference)
    if follow:
        follow_run(client, run, container)
    else:
        write_log(iter([client.get_log(run.id, container=container, tail=tail)]))
    if container is None and (text := missing_log_text(client.get_run(run.id))):
        warn(text)


def missing_log_text(run: Run) -> str:
    """Return why an ended run has no log of its test, and where to look; "" when it has one."""
    if run.failed_init_container:
        command = stored_log_command(run.id, run.failed_init_container)
        return f"the test of {run.name} never started; the log of what failed: {command}"
    if not run.status.final or run.log.state is not LogState.NONE:
        return ""
    if run.log.reason == "NotStarted":
        return f"{run.name} has no log: its container never started; see: sparktest show {run.id}"
    return f"no log of {run.name} was stored{f': {run.log.reason}' if run.log.reason else ''}"


def stored_log_command(run_id: str, container: str | None = None) -> str:
    """Return the command that prints a stored log, quoted for a shell.

    `container`: whose log, None for the test's.
    """
    return shlex.join(["sparktest", "logs", *(("-c", container) if container else ()), run_id])


def follow_run(client: ApiClient, run: Run, container: str | None = None) -> None:
    """Write the log of a run to stdout as it comes, until the run has ended."""
    write_log(follow_log(lambda at: client.follow_log(run.id, container=container, offset=at)))


def follow_log(
    read: Callable[[int], Iterator[bytes]],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """Yield the log as it comes, until the run has ended; resume after lost connections.

    `read` yields the log from a byte offset, in chunks as they come.

    Raises:
        SparkTestError: a retry cannot help, or the API was unavailable for `RETRY_SECONDS`.
    """
    offset = 0
    failures = 0
    deadline = None
    while True:
        requested = clock()
        try:
            for chunk in read(offset):
                offset += len(chunk)
                yield chunk
        except SparkTestError as error:
            if not error.retryable:
                raise
            if deadline is None or clock() - requested > waiting.POLL_SECONDS:
                # The API answered for a while, so this is the first failure of a new outage.
                deadline, failures = clock() + waiting.RETRY_SECONDS, 0
            if clock() > deadline:
                raise
        else:
            return
        pause(waiting.BACKOFF.delay(failures))
        failures += 1


def write_log(chunks: Iterator[bytes]) -> None:
    """Write the chunks to stdout as they come."""
    if on_terminal():
        _write_text(chunks)
        return
    for chunk in chunks:
        # With a closed stdout, still read to the end: the exit code waits for it.
        if sys.stdout:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()


def _write_text(chunks: Iterator[bytes]) -> None:
    cleaner = StreamCleaner()
    for chunk in chunks:
        sys.stdout.write(cleaner.feed(chunk))
        sys.stdout.flush()
    rest = cleaner.end()
    sys.stdout.write(f"{rest}\n" if rest else "")
    sys.stdout.flush()
