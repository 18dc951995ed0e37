"""Start the run, or the suite run, of a schedule."""

from collections.abc import Sequence

from sqlalchemy import Connection

from sparktest.api import new_runs, runs, suite_progress
from sparktest.api.context import AppContext
from sparktest.api.store import schedules as store
from sparktest.api.store import suite_runs
from sparktest.api.store.deferred import savepoint
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import DEFINITIONS
from sparktest.api.store.suites import SUITES
from sparktest.domain import MAX_NAME_LENGTH
from sparktest.domain_schedules import Concurrency
from sparktest.errors import ConflictError, InvalidError


def start(
    connection: Connection, ctx: AppContext, schedule: Row, problem: InvalidError | None = None
) -> str:
    """Start a run, or a suite run, of the schedule, which is locked, and return its id.

    What cannot be started, also because of a `problem` of the schedule itself, is a failed run of
    class config, so that it appears in every list.

    Raises:
        ConflictError: an earlier run has not ended, and the schedule forbids a second one.
    """
    allowed = schedule["concurrency"] == Concurrency.ALLOW
    live = [] if allowed else store.live_runs(connection, schedule["id"])
    if live and schedule["concurrency"] == Concurrency.FORBID:
        raise ConflictError(
            f"run {live[0]['id']} of this schedule has not ended, and its concurrency is forbid"
        )
    if schedule["concurrency"] == Concurrency.REPLACE:
        _cancel(connection, ctx, live)
    target = _target(connection, schedule)
    try:
        if problem:
            raise problem
        # Undone when a suite fails halfway.
        with savepoint(connection):
            return _start(connection, ctx, schedule, target)
    except InvalidError as error:
        definition = target if schedule["definition_id"] else None
        source = _source(schedule, target)
        run = new_runs.add_failed(
            connection, error, ctx.settings, ctx.clock(), definition, source=source
        )
        return str(run["id"])


def _start(connection: Connection, ctx: AppContext, schedule: Row, target: Row) -> str:
    now = ctx.clock()
    if schedule["suite_id"]:
        key = schedule["id"]
        return suite_progress.start(connection, target, ctx.settings, now, schedule_id=key)
    source = _source(schedule, target)
    return str(new_runs.create(connection, {}, ctx.settings, now, target, source=source)["id"])


def _target(connection: Connection, schedule: Row) -> Row:
    """Return the definition or the suite of the schedule."""
    if schedule["suite_id"]:
        found = SUITES.find(connection, schedule["suite_id"])
    else:
        found = DEFINITIONS.find(connection, schedule["definition_id"])
    if found is None:
        raise RuntimeError("a schedule without what it starts: the foreign key forbids it")
    return found


def _cancel(connection: Connection, ctx: AppContext, live: Sequence[Row]) -> None:
    """Cancel runs, and suite runs as a whole."""
    for run in live:
        if run["suite_run_id"] is None:
            runs.cancel(connection, ctx, run)
    for key in sorted({run["suite_run_id"] for run in live if run["suite_run_id"]}):
        suite_run = suite_runs.find(connection, key, for_update=True)
        if suite_run is not None:
            suite_progress.cancel(connection, suite_run, ctx.clock())


def _source(schedule: Row, target: Row) -> dict[str, str]:
    name = f"{target['name']} - {schedule['name']}"[:MAX_NAME_LENGTH]
    return {"name": name, "schedule_id": schedule["id"]}
