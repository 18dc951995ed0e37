"""`runs --watch`: print runs as they change."""

import json
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click

from sparktest.cli.output import plain, show, show_table
from sparktest.cli.run_output import run_columns
from sparktest.cli.waiting import retry
from sparktest.client import ApiClient
from sparktest.domain import Run, Status
from sparktest.run_poller import RunPoller

PAGE_SIZE = 1000


def list_newest(client: ApiClient, filters: dict[str, Any], limit: int) -> tuple[list[Run], bool]:
    """Return the newest runs, at most `limit`, and True when there are more."""
    found: list[Run] = []
    cursor = None
    while len(found) < limit:
        page = client.list_runs(**filters, cursor=cursor, limit=min(limit - len(found), PAGE_SIZE))
        found += page.runs
        cursor = page.next
        if cursor is None:
            return found, False
    return found, True


def changes(
    client: ApiClient,
    filters: dict[str, Any],
    found: list[Run],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Run]:
    """Yield the runs that are new or have changed since they were found, forever.

    A run that leaves the statuses of the filter is still yielded once.
    """
    known = {run.id: run for run in found}
    statuses = filters.get("status") or tuple(Status)
    other_filters = {name: value for name, value in filters.items() if name != "status"}
    newest = max((run.updated_at for run in found if run.updated_at), default=None)
    rng = random.Random()  # noqa: S311 - jitter
    poller = RunPoller(rng, sweep_seconds=None, since=newest)
    changed: list[Run] = []
    while True:
        pause(poller.delay(time.monotonic()))
        request = poller.next_request(time.monotonic())
        page = retry(
            partial(
                client.list_runs,
                **other_filters,
                updated_since=request.updated_since,
                cursor=request.cursor,
                limit=request.limit,
            )
        )
        poller.received(request, page, time.monotonic())
        changed += page.runs
        if page.next:
            continue
        for run in reversed(changed):
            if run != known.get(run.id) and (run.id in known or run.status in statuses):
                known[run.id] = run
                yield run
        changed.clear()


def watch_runs(client: ApiClient, filters: dict[str, Any], found: list[Run], output: str) -> None:
    """Print the runs and then every change; JSON has a line per run, YAML a document per run."""
    widths: list[int] = []
    if output in ("table", "wide"):
        widths = show_table(found, run_columns(), output)
    else:
        for run in found:
            _print_run(run, output)
    for run in changes(client, filters, found):
        if widths:
            show_table([run], run_columns(), output, widths)
        else:
            _print_run(run, output)


def _print_run(run: Run, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(plain(run), ensure_ascii=False))
    else:
        if output == "yaml":
            click.echo("---")
        show([run], run_columns(), output, one=True)
