"""Commands about existing runs: runs, show, cancel, delete."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from sparktest import kubectl
from sparktest.cli import options
from sparktest.cli.completion import (
    DEFINITION,
    ENDED_RUN,
    LABEL,
    LIVE_RUN,
    NAMESPACE,
    RUN,
    SCHEDULE,
)
from sparktest.cli.context import known_clusters, uses_api
from sparktest.cli.exits import warn
from sparktest.cli.lookup import find_definition, find_run, schedule_id, suite_run_id
from sparktest.cli.output import output_option, plain, show, show_table
from sparktest.cli.run_output import run_columns, show_fields
from sparktest.cli.waiting import BACKOFF, RETRY_SECONDS
from sparktest.client import ApiClient
from sparktest.domain import FailureClass, Origin, Run, Status
from sparktest.errors import InvalidError, SparkTestError
from sparktest.label_selectors import parse_selector
from sparktest.run_poller import RunPoller

STATUS = click.Choice([status.value for status in Status])
CLASS = click.Choice([each.value for each in FailureClass])
ORIGIN = click.Choice([origin.value for origin in Origin])
PAGE_SIZE = 1000
POLL_SECONDS = 1.0


def _label_filters(
    context: click.Context, option: click.Parameter, filters: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is no label selector."""
    for text in filters:
        try:
            parse_selector(text)
        except InvalidError as error:
            raise click.BadParameter(f"{text!r} {error.detail}") from error
    return filters


@click.command("runs")
@click.argument("references", metavar="[RUN]...", nargs=-1, shell_complete=RUN)
@click.option(
    "--status", multiple=True, type=STATUS, help="Only runs with this status; repeatable."
)
@click.option(
    "--origin",
    multiple=True,
    type=ORIGIN,
    help="crd: started by a TestRun; api: all others. Repeatable.",
)
@click.option("-n", "--namespace", multiple=True, metavar="NAME", shell_complete=NAMESPACE)
@click.option(
    "--definition",
    multiple=True,
    metavar="DEFINITION",
    help="Only runs of this definition; repeatable.",
    shell_complete=DEFINITION,
)
@click.option(
    "-l",
    "--label",
    multiple=True,
    metavar="SELECTOR",
    callback=_label_filters,
    shell_complete=LABEL,
    help="Only runs with these labels: a=b, a!=b, 'a in (b,c)', a, !a; repeatable, all must match.",
)
@click.option(
    "-q",
    "--query",
    metavar="WORDS",
    help="Search name, definition, namespace, labels, failure by parts of words, or the id.",
)
@click.option(
    "--since",
    metavar="TIME",
    callback=options.time_from_now(-1),
    help="Only runs created since then: 15m, 2h, 7d, or a time.",
)
@click.option(
    "--until",
    metavar="TIME",
    callback=options.time_from_now(-1),
    help="Only runs created before then; see --since.",
)
@click.option(
    "--class",
    "class_",
    multiple=True,
    type=CLASS,
    help="Only runs that failed for this cause; repeatable.",
)
@click.option("--suite-run", "suite_run", multiple=True, metavar="ID", help="Its runs only.")
@click.option(
    "--schedule", multiple=True, shell_complete=SCHEDULE, help="Only runs of this schedule."
)
@click.option("--limit", type=options.WholeNumber(1), default=100, show_default=True)
@click.option("-w", "--watch", is_flag=True, help="Print the list, then every change.")
@output_option()
@uses_api
def runs(
    client: ApiClient,
    references: tuple[str, ...],
    definition: tuple[str, ...],
    schedule: tuple[str, ...],
    suite_run: tuple[str, ...],
    query: str | None,
    limit: int,
    watch: bool,
    output: str,
    **filters: Any,
) -> None:
    """List runs, newest first, or show some.

    A RUN is an id, the first characters of one (at least 4), or a name that only one run has.
    """
    if references:
        if watch or query or definition or schedule or suite_run or any(filters.values()):
            raise click.UsageError("Give runs or filter options, not both.")
        named = [find_run(client, reference) for reference in references]
        show(named, run_columns(), output, one=len(named) == 1)
        return
    filters["q"] = query
    filters["definition_id"] = [find_definition(client, name).id for name in definition]
    filters["schedule_id"] = [schedule_id(client, name) for name in schedule]
    filters["suite_run_id"] = [suite_run_id(client, key) for key in suite_run]
    found, more = list_newest(client, filters, limit)
    if more:
        shown = "run is" if limit == 1 else f"{limit} runs are"
        warn(f"only the newest {shown} shown; see --limit")
    if watch:
        watch_runs(client, filters, found, output)
    else:
        show(found, run_columns(), output)


@click.command("show")
@click.argument("references", metavar="RUN...", nargs=-1, required=True, shell_complete=RUN)
@output_option()
@uses_api
def show_runs(client: ApiClient, references: tuple[str, ...], output: str) -> None:
    """Show all fields of runs.

    Includes the outcome, and the commands for its log and its Kubernetes objects.
    """
    found = [find_run(client, reference) for reference in references]
    if output == "table":
        show_fields(client, found)
    else:
        show(found, run_columns(), output, one=len(found) == 1)


@click.command("cancel")
@click.argument("references", metavar="RUN...", nargs=-1, required=True, shell_complete=LIVE_RUN)
@uses_api
def cancel(client: ApiClient, references: tuple[str, ...]) -> None:
    """Cancel runs; their logs are kept."""
    # Find all of them first: a typo in the last cancels none.
    for found in [find_run(client, reference) for reference in references]:
        run = client.cancel_run(found.id)
        warn(f"{run.name} ({run.id}) is being cancelled")


@click.command("delete")
@click.argument("references", metavar="RUN...", nargs=-1, required=True, shell_complete=ENDED_RUN)
@uses_api
def delete(client: ApiClient, references: tuple[str, ...]) -> None:
    """Delete runs that have ended, with their logs."""
    for run in [find_run(client, reference) for reference in references]:
        remaining = client.delete_run(run.id)
        warn(f"{run.name} ({run.id}) is deleted")
        if remaining:
            clusters = known_clusters(client)
            command = kubectl.delete(run, target=clusters.target(run))
            warn(f"its TestRun is still there; to delete it: {command}")
            if warning := clusters.warning(run):
                warn(warning)


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
    found: Sequence[Run],
    *,
    since: datetime | None = None,
    pause: Callable[[float], object] = time.sleep,
    keep_trying: bool = False,
) -> Iterator[Run]:
    """Yield the runs that are new or have changed since they were found, until `pause` is true.

    `since`: the time of the last known change when no runs were found; None reads all.
    A run that leaves the statuses of the filter is still yielded once.

    Raises:
        SparkTestError: a retry cannot help, or the API was unavailable for `RETRY_SECONDS`; never
            raised with `keep_trying`.
    """
    known = {run.id: run for run in found}
    statuses = filters.get("status") or tuple(Status)
    other_filters = {name: value for name, value in filters.items() if name != "status"}
    newest = max((run.updated_at for run in found if run.updated_at), default=since)
    poller = RunPoller(poll_seconds=POLL_SECONDS, sweep_seconds=None, since=newest, backoff=BACKOFF)
    changed: list[Run] = []
    while not pause(poller.delay(time.monotonic())):
        request = poller.next_request(time.monotonic())
        try:
            page = client.list_runs(
                **other_filters,
                updated_since=request.updated_since,
                cursor=request.cursor,
                limit=request.limit,
            )
        except SparkTestError as error:
            now = time.monotonic()
            poller.failed(error, now)
            failing_seconds = now - (poller.failing_since or now)
            if not keep_trying and (not error.retryable or failing_seconds > RETRY_SECONDS):
                raise
            changed.clear()
            continue
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
