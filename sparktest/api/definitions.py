"""Routes of definitions; a definition can be run."""

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from sparktest.api import auth, new_runs, runs
from sparktest.api.context import app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.resource_schemas import DefinitionInputSchema
from sparktest.api.resources import MAX_NAMES, Resource, add_routes, refuse_if_used
from sparktest.api.schemas import StartSchema, privileged_fields
from sparktest.api.specs import executor_defaults, resolve_spec, template_error
from sparktest.api.store import schedules, suites
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import DEFINITIONS, EXECUTORS
from sparktest.api.transactions import in_transaction
from sparktest.domain import MAX_NAME_LENGTH, Definition, Run, Scope
from sparktest.errors import InvalidError


class Definitions(Resource):
    """Definitions, each checked together with its executor."""

    def prepare(self, connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
        """Check that the executor exists, and that there is one image for one test container."""
        executor_id = row["executor_id"]
        executor = EXECUTORS.refer(connection, executor_id) if executor_id else None
        if executor_id and executor is None:
            raise InvalidError.at("/executorId", f"no executor has the id {executor_id}")
        error = template_error(row, [executor_defaults(executor)] if executor else [])
        if error:
            raise InvalidError.at(**error)
        spec = resolve_spec({}, {**row, "id": None}, executor, default_timeout_seconds=1)
        if not spec["image"]:
            raise InvalidError.at("/image", "is required: the template's test container has none")
        return row

    def before_delete(self, connection: Connection, row: Row) -> None:
        """Refuse to delete a definition that schedules start; it is removed from suites."""
        names = schedules.names_starting(connection, row["id"], MAX_NAMES)
        refuse_if_used("schedules", names, "definitionId")
        suites.increment_versions(connection, row["seq"])


definitions = Definitions(
    "definition", "/api/test-definitions", Definition, DefinitionInputSchema, DEFINITIONS
)
blueprint = Blueprint("test-definitions", __name__, description="Definitions: reusable tests.")
add_routes(blueprint, definitions)


@blueprint.route("/<uuid:definition_id>/run", scope=Scope.RUN, methods=["POST"])
@blueprint.arguments(StartSchema, required=False)
@blueprint.response(201, Run)
def run_definition(payload: dict[str, Any], definition_id: UUID) -> Response:
    """Run a definition, with the overrides of the body."""
    ctx = app_context()
    auth.require_admin(privileged_fields(payload), runs.NEEDS_ADMIN)

    def create(connection: Connection) -> Response:
        definition = definitions.locked(connection, definition_id)
        payload.setdefault("name", f"{definition['name']} - Manual Run"[:MAX_NAME_LENGTH])
        run = new_runs.create(connection, payload, ctx.settings, ctx.clock(), definition)
        return runs.created(runs.serialize(connection, ctx, run))

    return in_transaction(create)
