"""The command logs: raw bytes for a pipe, safe text for a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import click

from sparktest.cli import waiting
from sparktest.cli.completion import RUN
from sparktest.cli.context import uses_api
from sparktest.cli.lookup import find_run
from sparktest.cli.output import on_terminal
from sparktest.client import ApiClient
from sparktest.errors import SparkTestError
from sparktest.sanitize import StreamCleaner


@click.command("logs")
@click.argument("reference", metavar="RUN", shell_complete=RUN)
@click.option("-f", "--follow", is_flag=True, help="Until the run has ended.")
@click.option("--tail", type=click.IntRange(0), metavar="LINES", help="The last lines only.")
@click.option("-c", "--container", metavar="NAME", help="Which container; the test's by default.")
@uses_api
def logs(
    client: ApiClient, reference: str, follow: bool, tail: int | None, container: str | None
) -> None:
    """Print the log of a run.

    It is stored: it outlives the pod.
    """
    if follow and tail is not None:
        raise click.UsageError("Give --follow or --tail, not both.")
    run = find_run(client, reference)
    if follow:
        write_log(follow_log(client, run.id, container))
    else:
        write_log(iter([client.get_log(run.id, container=container, tail=tail)]))


class LogSource(Protocol):
    """Anything whose log can be followed from a byte offset, such as the API client."""

    def follow_log(
        self, run_id: str, *, container: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """Yield the log from a byte offset, in chunks as they come, until the run has ended."""


def follow_log(
    source: LogSource,
    run_id: str,
    container: str | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """Yield the log as it comes, until the run has ended; resume after lost connections.

    Raises:
        SparkTestError: a retry cannot help, or the API was unavailable for `RETRY_SECONDS`.
    """
    offset = 0
    failures = 0
    deadline = None
    while True:
        requested = clock()
        try:
            for chunk in source.follow_log(run_id, container=container, offset=offset):
                offset += len(chunk)
                yield chunk
        except SparkTestError as error:
            if not error.retryable:
                raise
            if deadline is None or clock() - requested > waiting.POLL_SECONDS:
                # It answered until now, so this is the first failure of a new outage.
                deadline, failures = clock() + waiting.RETRY_SECONDS, 0
            if clock() > deadline:
                raise
        else:
            return
        pause(waiting.retry_delay(failures))
        failures += 1


def write_log(chunks: Iterator[bytes]) -> None:
    """Write the chunks to stdout as they come."""
    if on_terminal():
        _write_text(chunks)
        return
    for chunk in chunks:
        # Where stdout was closed the log is read to its end, so that the outcome is known.
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
