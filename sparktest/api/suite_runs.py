"""Routes of suite runs: list, get, cancel."""

import logging
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import suite_progress
from sparktest.api.context import AppContext, app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.responses import decode_cursor, json_response, page_response
from sparktest.api.schemas import SuiteRunQuerySchema
from sparktest.api.serializers import serialize_resource, serialize_run
from sparktest.api.store import runs
from sparktest.api.store import suite_runs as store
from sparktest.api.store.engine import Row
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope, Status
from sparktest.domain_suites import SuiteRun
from sparktest.errors import ConflictError, NotFoundError

log = logging.getLogger(__name__)

blueprint = Blueprint("suite-runs", __name__, description="Suite runs: executions of suites.")


@blueprint.route("")
@blueprint.arguments(SuiteRunQuerySchema, location="query")
@blueprint.response(200, list[SuiteRun])
def list_suite_runs(query: dict[str, Any]) -> Response:
    """List suite runs without their runs, newest first; the header Link has the next page."""
    limit = query["limit"]
    below = decode_cursor(query.get("cursor"))
    with app_context().store.reading() as connection:
        rows = store.page(connection, query, below, limit + 1)
    return page_response(rows, limit, _serialize)


@blueprint.route("/<uuid:suite_run_id>")
@blueprint.response(200, SuiteRun)
@blueprint.versioned
def get_suite_run(suite_run_id: UUID) -> Response:
    """Return a suite run with its runs, in the order of the suite."""
    ctx = app_context()
    with ctx.store.reading() as connection:
        response = json_response(document(connection, ctx, str(suite_run_id)))
    # Of all that it shows: a run may change without the suite run.
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.route("/<uuid:suite_run_id>/cancel", scope=Scope.RUN, methods=["POST"])
@blueprint.response(202, SuiteRun)
def cancel_suite_run(suite_run_id: UUID) -> Response:
    """Cancel what is left of a suite run; runs that wait for others end at once."""
    ctx = app_context()

    def request_cancellation(connection: Connection) -> Response:
        suite_run = _required(
            store.find(connection, str(suite_run_id), for_update=True), str(suite_run_id)
        )
        if Status(suite_run["status"]).final:
            raise ConflictError(f"the suite run has already ended: {suite_run['status']}")
        suite_progress.cancel(connection, suite_run, ctx.clock())
        log.info("suite run cancellation requested suite_run_id=%s", suite_run_id)
        return json_response(document(connection, ctx, str(suite_run_id)), 202)

    return in_transaction(request_cancellation)


def document(connection: Connection, ctx: AppContext, suite_run_id: str) -> dict[str, Any]:
    """Return the document of a suite run, with its runs.

    Raises:
        NotFoundError: there is none.
    """
    row = _required(store.find(connection, suite_run_id), suite_run_id)
    heartbeats, now = runs.heartbeats(connection), ctx.clock()
    rows = store.runs_as_text(connection, suite_run_id)
    return _serialize(row) | {"runs": [serialize_run(run, heartbeats, now) for run in rows]}


def _required(suite_run: Row | None, suite_run_id: str) -> Row:
    if suite_run is None:
        raise NotFoundError(f"there is no suite run {suite_run_id}")
    return suite_run


def _serialize(row: Row) -> dict[str, Any]:
    return serialize_resource(SuiteRun, {**row, "runs": None, "message": None})
