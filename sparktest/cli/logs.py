"""Logs on stdout: raw bytes for a pipe, safe text for a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import click

from sparktest.cli import waiting
from sparktest.cli.candidates import RUN
from sparktest.cli.door import uses_api
from sparktest.cli.output import on_terminal
from sparktest.cli.references import find_run
from sparktest.errors import SparkTestError

if TYPE_CHECKING:
    from sparktest.client import ApiClient


@click.command("logs")
@click.argument("reference", metavar="RUN", shell_complete=RUN)
@click.option("-f", "--follow", is_flag=True, help="Until the run has ended.")
@click.option("--tail", type=click.IntRange(0), metavar="LINES", help="The last lines only.")
@click.option("-c", "--container", metavar="NAME", help="Which container; the test's by default.")
@uses_api
def logs(
    client: "ApiClient", reference: str, follow: bool, tail: int | None, container: str | None
) -> None:
    """Print the log of a run.

    It is stored: it outlives the pod.
    """
    if follow and tail is not None:
        raise click.UsageError("--follow begins at the first line; --tail needs no --follow.")
    run = find_run(client, reference)
    if follow:
        write_log(followed(client, run.id, container))
    else:
        write_log(iter([client.get_log(run.id, container=container, tail=tail)]))


class Follows(Protocol):
    """Whatever has logs that can be followed from a byte on, as the API's client."""

    def follow_log(
        self, run_id: str, *, container: str | None = None, offset: int = 0
    ) -> Iterator[bytes]:
        """The log from a byte on, in chunks as they come, until the run has ended."""


def followed(
    client: Follows,
    run_id: str,
    container: str | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[bytes]:
    """The log as it comes, until the run has ended; goes on after cuts where it was.

    Raises:
        SparkTestError: the API refuses, or was away for longer than `PATIENCE_SECONDS`.
    """
    offset = 0
    deadline = None
    while True:
        asked = clock()
        try:
            for chunk in client.follow_log(run_id, container=container, offset=offset):
                offset += len(chunk)
                yield chunk
        except SparkTestError as error:
            if not error.retryable:
                raise
            if deadline is None or clock() - asked > waiting.POLL_SECONDS:
                # It had answered until now: patience begins anew.
                deadline = clock() + waiting.PATIENCE_SECONDS
            if clock() > deadline:
                raise
        else:
            return
        pause(waiting.POLL_SECONDS)


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
    from sparktest.sanitize import StreamCleaner

    cleaner = StreamCleaner()
    for chunk in chunks:
        sys.stdout.write(cleaner.feed(chunk))
        sys.stdout.flush()
    rest = cleaner.end()
    sys.stdout.write(f"{rest}\n" if rest else "")
    sys.stdout.flush()
