"""Lists of runs that go on: what changes, as it comes."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sparktest.cli.output import plain, show, show_table
from sparktest.cli.run_table import STATUSES, columns
from sparktest.cli.waiting import patiently

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run

PAGE = 1000
WATCH_SECONDS = 1.0
# A change may be committed a moment after the time that it carries.
OVERLAP = timedelta(seconds=5)


def read(client: "ApiClient", filters: dict[str, Any], limit: int) -> tuple[list["Run"], bool]:
    """The newest runs, at most `limit`, and whether there are more."""
    found: list[Run] = []
    cursor = None
    while len(found) < limit:
        page = client.list_runs(**filters, cursor=cursor, limit=min(limit - len(found), PAGE))
        found += page.runs
        cursor = page.next
        if cursor is None:
            return found, False
    return found, True


def changes(
    client: "ApiClient",
    filters: dict[str, Any],
    found: list["Run"],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator["Run"]:
    """The runs that are new or have changed since they were found, as they come, for ever."""
    known = {run.id: run for run in found}
    # A run that leaves the wanted statuses is still worth a line, so all of them are asked for.
    wanted = filters.get("status") or STATUSES
    every = {name: value for name, value in filters.items() if name != "status"}
    last = max((run.updated_at for run in found if run.updated_at), default=None)
    while True:
        pause(WATCH_SECONDS)
        after = {"updated_since": last - OVERLAP} if last else {}
        changed, _ = patiently(partial(read, client, every | after, PAGE))
        for run in reversed(changed):
            if run != known.get(run.id) and (run.id in known or run.status in wanted):
                known[run.id] = run
                yield run
        last = max(filter(None, (last, *(run.updated_at for run in changed))), default=None)


def watch_runs(
    client: "ApiClient", filters: dict[str, Any], found: list["Run"], output: str
) -> None:
    """Print the runs and then every change; in JSON a line a run, in YAML a document a run."""
    widths: list[int] = []
    if output in ("table", "wide"):
        widths = show_table(found, columns(), output)
    else:
        for run in found:
            _print_one(run, output)
    for run in changes(client, filters, found):
        if widths:
            show_table([run], columns(), output, widths)
        else:
            _print_one(run, output)


def _print_one(run: "Run", output: str) -> None:
    if output == "json":
        click.echo(json.dumps(plain(run), ensure_ascii=False))
    else:
        if output == "yaml":
            click.echo("---")
        show([run], columns(), output, one=True)
