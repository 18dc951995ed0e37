"""Runs on stdout: the columns of their table, and all fields of one run."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from sparktest import kubectl
from sparktest.cli.context import known_clusters
from sparktest.cli.logs import stored_log_command
from sparktest.cli.output import Column, coloured, field_lines
from sparktest.client import ApiClient
from sparktest.domain import Run, Status
from sparktest.errors import GoneError, NotFoundError
from sparktest.run_fields import lacks_message, last_line, reason, run_duration, run_fields
from sparktest.times import format_age

COLOURS: dict[str, str] = {
    Status.RUNNING: "blue",
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.TIMED_OUT: "red",
    Status.CANCELLED: "yellow",
}
# Enough lines to find one that is not blank.
TAIL_LINES = 10


def run_columns() -> list[Column[Run]]:
    """Return the columns of a table of runs, with ages and durations until now."""
    now = datetime.now(UTC)
    return [
        Column("ID", lambda run: run.id, min_width=8, is_id=True),
        Column("STATUS", lambda run: run.status.value, colour=lambda run: COLOURS.get(run.status)),
        Column("REASON", reason, min_width=6),
        Column("ORIGIN", lambda run: run.origin.value),
        Column("NAMESPACE", lambda run: run.namespace, min_width=6),
        Column("NAME", lambda run: run.name, min_width=8),
        Column("DURATION", lambda run: run_duration(run, now)),
        Column("AGE", lambda run: format_age(now - run.created_at)),
        Column("IMAGE", lambda run: run.display_image, wide=True),
        Column("JOB", lambda run: run.job_name, wide=True),
        Column("TESTRUN", lambda run: run.k8s_ref.name if run.k8s_ref else None, wide=True),
    ]


def show_fields(client: ApiClient, runs: Sequence[Run]) -> None:
    """Print all fields of runs, and the commands that continue from there."""
    now = datetime.now(UTC)
    clusters = known_clusters(client)
    for index, run in enumerate(runs):
        line, original = _last_log_line(client, run), _original(client, run)
        fields = run_fields(run, now, last_log_line=line, original=original)
        commands = [
            ("stored log", stored_log_command(run.id, run.failed_init_container)),
            ("note", clusters.warning(run)),
            *kubectl.commands(run, target=clusters.target(run)),
        ]
        lines = field_lines(list(fields.items()), {"Status": COLOURS.get(run.status)})
        text = "\n".join([*lines, "", *field_lines(commands)])
        click.echo("\n" * bool(index) + text, color=coloured())


def _last_log_line(client: ApiClient, run: Run) -> str:
    """Return the last line of the log when the run's failure has no message of its own."""
    if run.failure and run.log.bytes and lacks_message(run.failure):
        return last_line(client.get_log(run.id, tail=TAIL_LINES))
    return ""


def _original(client: ApiClient, run: Run) -> Run | None:
    """Return the run that this one is a rerun of; None if there is none, or no longer."""
    try:
        return client.get_run(run.rerun_of) if run.rerun_of else None
    except (NotFoundError, GoneError):
        return None
