"""Routes of lists of runs: a page, and a summary."""

from typing import Any

from flask import Response, request

from sparktest.api.context import CONTROLLER_HEADER, app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.responses import decode_cursor, json_response, next_link
from sparktest.api.run_query import RunFilterSchema, RunQuerySchema
from sparktest.api.serializers import serialize_run
from sparktest.api.store import run_pages, run_summary
from sparktest.api.store import runs as store
from sparktest.domain import FailureClass, Origin, Run, RunSummary, Scope, Status

# A summary names so many namespaces, those with the most runs.
MAX_NAMESPACES = 20

blueprint = Blueprint("lists of test-runs", __name__, description="Pages and counts of runs.")


@blueprint.route("", scope=(Scope.READ, Scope.CONTROLLER))
@blueprint.arguments(RunQuerySchema, location="query")
@blueprint.response(200, list[Run])
def list_runs(query: dict[str, Any]) -> Response:
    """List runs, newest first; the Link header leads to the next page.

    With filters, a page may have fewer runs than `limit`, even none, and a next page: the API looks
    at a limited number of runs for each. Follow the links until there is none.
    """
    ctx = app_context()
    # Runs that wait for another run of their suite are not for controllers.
    query["unblocked"] = CONTROLLER_HEADER in request.headers
    below, limit, now = decode_cursor(query.get("cursor")), query["limit"], ctx.clock()
    with ctx.store.reading() as connection:
        text, following = run_pages.page(connection, query, below, limit, now)
        if text is None:
            found = run_pages.find(connection, query, below, limit)
            rows, following = run_pages.rows(connection, found.seqs), found.next
            heartbeats = store.heartbeats(connection)
    headers = next_link(following) if following else None
    if text is not None:
        return Response(text, headers=headers, mimetype="application/json")
    return json_response([serialize_run(row, heartbeats, now) for row in rows], headers=headers)


@blueprint.route("/summary")
@blueprint.arguments(RunFilterSchema, location="query")
@blueprint.response(200, RunSummary)
def summarize_runs(query: dict[str, Any]) -> Response:
    """Count the newest runs that pass the filters: 5,000 at most, so that it is always cheap."""
    with app_context().store.reading() as connection:
        counts = run_summary.count(connection, query)
    status, namespaces = counts.by["status"], counts.by["namespace"]
    summary = RunSummary(
        total=status.total(),
        complete=counts.complete,
        oldest=counts.oldest,
        status={each: status[each] for each in Status},
        origin={each: counts.by["origin"][each] for each in Origin},
        class_={each: counts.by["failure_class"][each] for each in FailureClass},
        namespace=dict(namespaces.most_common(MAX_NAMESPACES)),
    )
    return json_response(summary)
