"""Runs as rows of a table."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparktest.cli.table import Column
from sparktest.run_fields import reason, run_duration
from sparktest.times import format_age

if TYPE_CHECKING:
    from sparktest.domain import Run

# The words of sparktest.domain, which this module does not load before it is called.
STATUSES = ("pending", "running", "succeeded", "failed", "timed_out", "cancelled")
ORIGINS = ("api", "crd")
COLOURS = {
    "running": "blue",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "cancelled": "yellow",
}


def columns() -> list[Column["Run"]]:
    """The columns of a table of runs, with times until now."""
    now = datetime.now(UTC)
    return [
        # The beginning of an id is as good as the whole, so it needs no mark where it is cut.
        Column("ID", lambda run: run.id, least=8, mark=""),
        Column("STATUS", lambda run: run.status.value, colour=lambda run: COLOURS.get(run.status)),
        Column("REASON", reason, least=6),
        Column("ORIGIN", lambda run: run.origin.value),
        Column("NAMESPACE", lambda run: run.namespace, least=6),
        Column("NAME", lambda run: run.name, least=8),
        Column("DURATION", lambda run: run_duration(run, now)),
        Column("AGE", lambda run: format_age((now - run.created_at).total_seconds())),
        Column("IMAGE", lambda run: run.display_image, wide=True),
        Column("JOB", lambda run: run.job_name, wide=True),
        Column("TESTRUN", lambda run: run.k8s_ref.name if run.k8s_ref else None, wide=True),
    ]
