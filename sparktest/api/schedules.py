"""Routes of schedules; a schedule can be started by hand, and says when it is due next."""

from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import due, schedule_runs
from sparktest.api.context import app_context
from sparktest.api.cron import Cron
from sparktest.api.openapi import Blueprint
from sparktest.api.resources import Resource, add_routes
from sparktest.api.responses import json_response, location
from sparktest.api.schedule_schemas import DueTimesQuerySchema, ScheduleInputSchema
from sparktest.api.store.resources import DEFINITIONS, SCHEDULES
from sparktest.api.store.suites import SUITES
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope
from sparktest.domain_schedules import DueTimes, Schedule
from sparktest.errors import InvalidError

# The columns that only the API sets, of a new schedule.
NEW: dict[str, Any] = {
    "next_run_at": None,
    "last_run_at": None,
    "last_run_id": None,
    "missed_runs": 0,
    "last_missed_at": None,
}
# When one of these changes, the next due time is another one.
TIMING = ("cron", "time_zone", "enabled")


class Schedules(Resource):
    """Schedules, each with its next due time."""

    def prepare(self, connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
        """Check what the schedule refers to, and set its next due time."""
        definition_id = row["definition_id"]
        if definition_id and DEFINITIONS.refer(connection, definition_id) is None:
            raise InvalidError.at("/definitionId", f"no definition has the id {definition_id}")
        suite_id = row["suite_id"]
        if suite_id and SUITES.refer(connection, suite_id) is None:
            raise InvalidError.at("/suiteId", f"no suite has the id {suite_id}")
        row = NEW | row
        before = self.table.find(connection, row["id"])
        # A schedule that is due now stays due when its description is edited.
        if before is None or any(before[name] != row[name] for name in TIMING):
            row["next_run_at"] = due.next_run_at(row, app_context().clock())
        return row


schedules = Schedules("schedule", "/api/schedules", Schedule, ScheduleInputSchema, SCHEDULES)
blueprint = Blueprint(
    "schedules", __name__, description="Schedules: times at which definitions or suites start."
)
add_routes(blueprint, schedules)


@blueprint.after_request  # type: ignore[untyped-decorator]
def wake_scheduler(response: Response) -> Response:
    """Wake the scheduler of this process after a change."""
    if request.method != "GET":
        app_context().schedules_changed.set()
    return response


@blueprint.route("/<uuid:schedule_id>/run", scope=Scope.RUN, methods=["POST"])
@blueprint.response(
    201, Schedule, description="The schedule; Location and lastRunId refer to the new run."
)
def run_schedule(schedule_id: UUID) -> Response:
    """Start the run of a schedule now, also if it is not enabled; its due times stay."""
    ctx = app_context()

    def start(connection: Connection) -> Response:
        schedule = schedules.locked(connection, schedule_id)
        run_id = schedule_runs.start(connection, ctx, schedule)
        changed = {"last_run_at": ctx.clock(), "last_run_id": run_id}
        path = "/api/suite-runs" if schedule["suite_id"] else "/api/test-runs"
        row = {**schedule, **changed, "version": schedule["version"] + 1}
        schedules.table.change(connection, row)
        return json_response(schedules.serialize(row), 201, location(f"{path}/{run_id}"))

    return in_transaction(start)


@blueprint.route("/<uuid:schedule_id>/next")
@blueprint.arguments(DueTimesQuerySchema, location="query")
@blueprint.response(200, DueTimes)
def next_due_times(query: dict[str, Any], schedule_id: UUID) -> Response:
    """Return the next due times of a schedule, as if it was enabled."""
    ctx = app_context()
    with ctx.store.reading() as connection:
        schedule = schedules.found(connection, schedule_id)
    cron = Cron(schedule["cron"], schedule["time_zone"])
    times = [ctx.clock()]
    while len(times) <= query["count"] and (following := cron.next_after(times[-1])):
        times.append(following)
    return json_response(DueTimes(tuple(times[1:])))
