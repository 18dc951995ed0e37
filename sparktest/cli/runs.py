"""Commands about runs that are there: runs, cancel, delete, rerun."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from sparktest.cli.door import say, uses_api
from sparktest.cli.output import Column, output_option, show
from sparktest.cli.references import find_run
from sparktest.spans import age, span

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Run

# The words of sparktest.domain, which this module does not load before it is called.
STATUSES = ("pending", "running", "succeeded", "failed", "timed_out", "cancelled")
ORIGINS = ("api", "crd")
COLOURS = {
    "running": "blue", "succeeded": "green", "failed": "red", "timed_out": "red",
    "cancelled": "yellow",
}  # fmt: skip
PAGE = 1000


def took(run: "Run", now: datetime) -> str | None:
    """How long the run took, or has taken until now; None before its container started."""
    if run.duration is not None:
        return span(run.duration)
    if run.started_at is None:
        return None
    return span(((run.finished_at or now) - run.started_at).total_seconds())


def reason(run: "Run") -> str | None:
    """The word for why the run waits or did not succeed, None where there is none."""
    return run.failure.reason if run.failure else run.status_reason


def columns() -> list[Column["Run"]]:
    """The columns of a table of runs, with times until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda run: run.id),
        Column("STATUS", lambda run: run.status.value, colour=lambda run: COLOURS.get(run.status)),
        Column("REASON", reason),
        Column("ORIGIN", lambda run: run.origin.value),
        Column("NAMESPACE", lambda run: run.namespace),
        Column("NAME", lambda run: run.name),
        Column("DURATION", lambda run: took(run, now)),
        Column("AGE", lambda run: age((now - run.created_at).total_seconds())),
        Column("IMAGE", lambda run: run.image, wide=True),
        Column("JOB", lambda run: run.job_name, wide=True),
        Column("TESTRUN", lambda run: run.k8s_ref.name if run.k8s_ref else None, wide=True),
    ]


@click.command("runs")
@click.argument("references", metavar="[RUN]...", nargs=-1)
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Repeat for either.")
@click.option("--origin", multiple=True, type=click.Choice(ORIGINS), help="Who asked for it.")
@click.option("-n", "--namespace", multiple=True, metavar="NAME")
@click.option("-q", "--query", metavar="WORDS", help="Beginnings of words of name, image, id …")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@output_option
@uses_api
def runs(
    client: "ApiClient",
    references: tuple[str, ...],
    status: tuple[str, ...],
    origin: tuple[str, ...],
    namespace: tuple[str, ...],
    query: str | None,
    limit: int,
    output: str,
) -> None:
    """List runs, newest first, or show some.

    A RUN is an id, the beginning of one (4 characters or more), or a name that only one run has.
    """
    if references:
        named = [find_run(client, reference) for reference in references]
        show(named, columns(), output, one=len(named) == 1)
        return
    found: list[Run] = []
    cursor = None
    while len(found) < limit:
        page = client.list_runs(
            status=status, origin=origin, namespace=namespace, q=query,
            cursor=cursor, limit=min(limit - len(found), PAGE),
        )  # fmt: skip
        found += page.runs
        cursor = page.next
        if cursor is None:
            break
    show(found, columns(), output)
    if cursor is not None:
        say(f"there are more than these {limit}; see --limit")


@click.command("cancel")
@click.argument("references", metavar="RUN...", nargs=-1, required=True)
@uses_api
def cancel(client: "ApiClient", references: tuple[str, ...]) -> None:
    """Ask for runs to be stopped."""
    for reference in references:
        run = client.cancel_run(find_run(client, reference).id)
        say(f"{run.name} ({run.id}) is being stopped")


@click.command("delete")
@click.argument("references", metavar="RUN...", nargs=-1, required=True)
@uses_api
def delete(client: "ApiClient", references: tuple[str, ...]) -> None:
    """Delete runs that have ended, with their logs."""
    for reference in references:
        run = find_run(client, reference)
        remaining = client.delete_run(run.id)
        say(f"{run.name} ({run.id}) is deleted")
        if remaining:
            say(f"its TestRun is still there; to delete it: {remaining}")


@click.command("rerun")
@click.argument("reference", metavar="RUN")
@uses_api
def rerun(client: "ApiClient", reference: str) -> None:
    """Start a new run of what a run ran, and print its id."""
    click.echo(client.rerun_run(find_run(client, reference).id).id)
