"""Start the run of a schedule."""

from typing import Any

from sqlalchemy import Connection

from sparktest.api import new_runs, runs
from sparktest.api.context import AppContext
from sparktest.api.store import schedules as store
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import DEFINITIONS
from sparktest.domain import MAX_NAME_LENGTH
from sparktest.domain_schedules import Concurrency
from sparktest.errors import ConflictError, InvalidError


def start(
    connection: Connection, ctx: AppContext, schedule: Row, problem: InvalidError | None = None
) -> str:
    """Start a run of the schedule, which is locked, and return its id.

    What cannot be started, also because of a `problem` of the schedule itself, is a failed run of
    class config, so that it appears in every list.

    Raises:
        ConflictError: an earlier run has not ended, and the schedule forbids a second one.
    """
    live = store.live_runs(connection, schedule["id"])
    if live and schedule["concurrency"] == Concurrency.FORBID:
        raise ConflictError(
            f"run {live[0]['id']} of this schedule has not ended, and its concurrency is forbid"
        )
    if schedule["concurrency"] == Concurrency.REPLACE:
        for run in live:
            runs.cancel(connection, ctx, run)
    return _start_definition(connection, ctx, schedule, problem)


def _start_definition(
    connection: Connection, ctx: AppContext, schedule: Row, problem: InvalidError | None
) -> str:
    definition = DEFINITIONS.find(connection, schedule["definition_id"])
    if definition is None:
        raise RuntimeError("a schedule without a definition: the foreign key forbids it")
    source = _source(schedule, definition["name"])
    try:
        if problem:
            raise problem
        run = new_runs.create(connection, {}, ctx.settings, ctx.clock(), definition, source=source)
    except InvalidError as error:
        run = new_runs.add_failed(
            connection, error, ctx.settings, ctx.clock(), definition, source=source
        )
    return str(run["id"])


def _source(schedule: Row, name: str) -> dict[str, Any]:
    return {"name": f"{name} - {schedule['name']}"[:MAX_NAME_LENGTH], "schedule_id": schedule["id"]}
