"""Commands about schedules."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import click

from sparktest.cli import options
from sparktest.cli.completion import DEFINITION, SCHEDULE, SUITE
from sparktest.cli.context import uses_api
from sparktest.cli.exits import Exit, warn
from sparktest.cli.lookup import find, find_definition
from sparktest.cli.output import Column, output_option, show
from sparktest.cli.references import Reference
from sparktest.cli.resources import READ_ONLY, Body, Kind, add_commands
from sparktest.cli.start import follow_to_end, show_started
from sparktest.cli.suites import follow_suite, suite_run_columns
from sparktest.client import ApiClient
from sparktest.domain_schedules import Concurrency, Schedule
from sparktest.domain_suites import SuiteRun
from sparktest.errors import NotFoundError
from sparktest.times import format_age, format_time

FIELD_OPTIONS = (
    click.option("--name", metavar="NAME", help="The name of the schedule."),
    click.option(
        "--definition",
        metavar="DEFINITION",
        help="The definition that it starts.",
        shell_complete=DEFINITION,
    ),
    click.option(
        "--suite", metavar="SUITE", help="The suite that it starts.", shell_complete=SUITE
    ),
    click.option(
        "--cron",
        metavar="TEXT",
        help="Minute, hour, day of the month, month, day of the week; or @daily and the like.",
    ),
    click.option("--time-zone", metavar="ZONE", help="A zone such as Europe/Berlin; default: UTC."),
    click.option(
        "--concurrency",
        type=click.Choice([each.value for each in Concurrency]),
        help="While an earlier run has not ended: start another one (default), skip the due time, "
        "or cancel the earlier one.",
    ),
    click.option(
        "--starting-deadline",
        type=options.WholeNumber(1),
        metavar="SECONDS",
        help="How late a run may start; default: never too late.",
    ),
    click.option("--description", metavar="TEXT", help="What the schedule is for."),
)


@click.group("schedules")
def schedules() -> None:
    """Manage schedules of definitions and suites."""


@schedules.command("enable")
@click.argument(
    "references", metavar="SCHEDULE...", nargs=-1, required=True, shell_complete=SCHEDULE
)
@uses_api
def enable(client: ApiClient, references: tuple[str, ...]) -> None:
    """Enable schedules: they start runs again."""
    for schedule in [KIND.find(client, reference) for reference in references]:
        changed = client.schedules.patch(schedule.id, {"enabled": True})
        due = f"; it is due at {format_time(changed.next_run_at)}" if changed.next_run_at else ""
        warn(f"{schedule.name} ({schedule.id}) is enabled{due}")


@schedules.command("disable")
@click.argument(
    "references", metavar="SCHEDULE...", nargs=-1, required=True, shell_complete=SCHEDULE
)
@uses_api
def disable(client: ApiClient, references: tuple[str, ...]) -> None:
    """Disable schedules: they start no runs, and miss none."""
    for schedule in [KIND.find(client, reference) for reference in references]:
        client.schedules.patch(schedule.id, {"enabled": False})
        warn(f"{schedule.name} ({schedule.id}) is disabled")


@schedules.command("next")
@click.argument("reference", metavar="SCHEDULE", shell_complete=SCHEDULE)
@click.option(
    "--count",
    type=options.WholeNumber(1, 100),
    default=5,
    show_default=True,
    metavar="NUMBER",
    help="How many.",
)
@uses_api
def next_(client: ApiClient, reference: str, count: int) -> None:
    """Print the next due times of a schedule, in UTC."""
    schedule = KIND.find(client, reference)
    for due in client.next_due_times(schedule.id, count):
        click.echo(format_time(due))
    if not schedule.enabled:
        warn(f"{schedule.name} is not enabled; see: sparktest schedules enable {schedule.name}")


@schedules.command("run")
@click.argument("reference", metavar="SCHEDULE", shell_complete=SCHEDULE)
@options.wait_option
@options.follow_option
@output_option("name")
@uses_api
def run(client: ApiClient, reference: str, wait: bool, follow: bool, output: str) -> Exit:
    """Start a run of a schedule now, and print its id.

    Also if it is not enabled; its due times stay as they are.
    """
    started = client.run_schedule(KIND.find(client, reference).id)
    if started.suite_id and (suite_run := _suite_run(client, started)):
        show([suite_run], suite_run_columns(), output, one=True)
        return follow_suite(client, suite_run) if wait or follow else Exit.PASSED
    run = client.get_run(started.last_run_id or "")
    show_started([run], output, follow=follow)
    return follow_to_end(client, run, follow=follow) if wait or follow else Exit.PASSED


def schedule_columns(client: ApiClient) -> list[Column[Schedule]]:
    """Return the columns of a table of schedules, with times relative to now."""
    now = datetime.now(UTC)

    @cache
    def names() -> dict[str, str]:
        found = {each.id: each.name for each in client.definitions.list()}
        return found | {each.id: each.name for each in client.suites.list()}

    def starts(schedule: Schedule) -> str:
        target = schedule.definition_id or schedule.suite_id or ""
        return names().get(target, target)

    return [
        Column("ID", lambda schedule: schedule.id, min_width=8, is_id=True),
        Column("NAME", lambda schedule: schedule.name, min_width=8),
        Column("STARTS", starts, min_width=8),
        Column("CRON", lambda schedule: schedule.cron, min_width=9),
        Column("TIME ZONE", lambda schedule: schedule.time_zone, min_width=8),
        Column("NEXT", lambda schedule: _next(schedule, now)),
        Column("LAST", lambda schedule: _ago(schedule.last_run_at, now)),
        Column("MISSED", lambda schedule: str(schedule.missed_runs), colour=_missed_colour),
        Column("LAST RUN", lambda schedule: schedule.last_run_id, wide=True),
        Column("LAST MISSED", lambda schedule: _ago(schedule.last_missed_at, now), wide=True),
        Column("CONCURRENCY", lambda schedule: schedule.concurrency, wide=True),
        Column("DEADLINE", _deadline, wide=True),
        Column("DESCRIPTION", lambda schedule: schedule.description, wide=True),
    ]


def _fields(
    client: ApiClient,
    *,
    definition: str | None,
    suite: str | None,
    time_zone: str | None,
    starting_deadline: int | None,
    **fields: Any,
) -> Body:
    return options.without_empty(
        definitionId=find_definition(client, definition).id if definition else None,
        suiteId=find(client.suites, suite, "suite").id if suite else None,
        timeZone=time_zone,
        startingDeadlineSeconds=starting_deadline,
        **fields,
    )


def _suite_run(client: ApiClient, schedule: Schedule) -> SuiteRun | None:
    """Return the last suite run; None where the suite could not be started: that is a run."""
    try:
        return client.suite_runs.get(schedule.last_run_id or "")
    except NotFoundError:
        return None


def _complete(client: ApiClient, body: Body, *, new: bool) -> Body:
    if not new and "suiteId" in body:
        return {"definitionId": None, **body}
    if not new and "definitionId" in body:
        return {"suiteId": None, **body}
    if new and not (body.get("cron") and (body.get("definitionId") or body.get("suiteId"))):
        raise click.UsageError("Give --cron, and --definition or --suite, or a file with them.")
    return body


def _next(schedule: Schedule, now: datetime) -> str | None:
    if not schedule.enabled:
        return "disabled"
    if schedule.next_run_at is None:
        return None
    return f"in {format_age(schedule.next_run_at - now)}"


def _ago(at: datetime | None, now: datetime) -> str | None:
    return f"{format_age(now - at)} ago" if at else None


def _missed_colour(schedule: Schedule) -> str | None:
    return "yellow" if schedule.missed_runs else None


def _deadline(schedule: Schedule) -> str | None:
    seconds = schedule.starting_deadline_seconds
    return f"{seconds}s" if seconds else None


KIND = Kind(
    noun="schedule",
    calls=lambda client: client.schedules,
    columns=schedule_columns,
    completer=SCHEDULE,
    field_options=FIELD_OPTIONS,
    fields=_fields,
    complete=_complete,
    read_only=READ_ONLY | {"nextRunAt", "lastRunAt", "lastRunId", "missedRuns", "lastMissedAt"},
    references=(
        Reference("definition", "definitionId", "definition", lambda client: client.definitions),
        Reference("suite", "suiteId", "suite", lambda client: client.suites),
    ),
    kept="their runs are kept",
)
add_commands(schedules, KIND)
