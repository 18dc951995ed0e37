"""Routes of suites; a suite can be run."""

from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from sparktest.api import suite_progress, suite_runs
from sparktest.api.context import app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.resource_schemas import SuiteInputSchema
from sparktest.api.resources import MAX_NAMES, Resource, add_routes, refuse_if_used
from sparktest.api.responses import json_response, location
from sparktest.api.store import schedules
from sparktest.api.store import suites as store
from sparktest.api.store.engine import Row
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope
from sparktest.domain_suites import ExecutionMode, Suite, SuiteRun
from sparktest.errors import FieldError, InvalidError

ORDER = {ExecutionMode.SEQUENTIAL: "one after the other", ExecutionMode.PARALLEL: "all at once"}


class Suites(Resource):
    """Suites, whose definitions must exist."""

    def prepare(self, connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
        """Check that every definition exists."""
        ids = row["test_definition_ids"]
        known = store.definition_seqs(connection, ids)
        errors: list[FieldError] = [
            {"pointer": f"/testDefinitionIds/{n}", "detail": f"no definition has the id {each}"}
            for n, each in enumerate(ids)
            if each not in known
        ]
        if errors:
            detail = "; ".join(f"{error['pointer']}: {error['detail']}" for error in errors)
            raise InvalidError(detail, errors=errors)
        return row

    def before_delete(self, connection: Connection, row: Row) -> None:
        """Refuse to delete a suite that schedules start."""
        names = schedules.names_starting(connection, row["id"], MAX_NAMES)
        refuse_if_used("schedules", names, "suiteId")


suites = Suites("suite", "/api/test-suites", Suite, SuiteInputSchema, store.SUITES)
blueprint = Blueprint("test-suites", __name__, description="Suites: ordered sets of definitions.")
add_routes(blueprint, suites)


@blueprint.route("/<uuid:suite_id>/run", scope=Scope.RUN, methods=["POST"])
@blueprint.response(201, SuiteRun)
def run_suite(suite_id: UUID) -> Response:
    """Run a suite: all of its definitions, in its order or all at once."""
    ctx = app_context()

    def create(connection: Connection) -> Response:
        suite = suites.locked(connection, suite_id)
        suite_run_id = suite_progress.start(connection, suite, ctx.settings, ctx.clock())
        document = suite_runs.document(connection, ctx, suite_run_id)
        document["message"] = _message(suite)
        return json_response(document, 201, location(f"/api/suite-runs/{suite_run_id}"))

    return in_transaction(create)


def _message(suite: Row) -> str:
    number = len(suite["test_definition_ids"])
    what = "1 run" if number == 1 else f"{number} runs, {ORDER[suite['execution_mode']]}"
    return f"started the suite {suite['name']!r}: {what}"
