"""Routes of runs: list, create or register, get, delete, cancel, rerun, claim, report."""

import logging
from typing import Any

from flask import Response
from sqlalchemy import Connection

from sparktest import kubectl
from sparktest.api import new_runs, paging, reports, serializers
from sparktest.api.context import AppContext, app_context
from sparktest.api.parsing import Blueprint
from sparktest.api.response_schemas import RunSchema
from sparktest.api.responses import json_response, page
from sparktest.api.schemas import ClaimSchema, ReportSchema, RunCreateSchema, RunQuerySchema
from sparktest.api.store import controllers, run_pages
from sparktest.api.store import runs as store
from sparktest.api.store.rows import Row
from sparktest.domain import K8sRef, Origin, Run, Status
from sparktest.errors import ConflictError, GoneError, NotFoundError

log = logging.getLogger(__name__)

blueprint = Blueprint("test-runs", __name__, description="Runs: one execution, one Job each.")


@blueprint.route("")
@blueprint.arguments(RunQuerySchema, location="query")
@blueprint.response(200, RunSchema(many=True))
def list_runs(query: dict[str, Any]) -> Response:
    """Runs, newest first; the Link header leads to the next page."""
    ctx = app_context()
    limit = query["limit"]
    with ctx.store.reading() as connection:
        # One more than asked for tells whether there is a next page.
        rows = run_pages.page(connection, query, paging.decode(query.get("cursor")), limit + 1)
        seen = controllers.seen(connection)
    now = ctx.clock()
    following = paging.encode(rows[limit - 1]["seq"]) if len(rows) > limit else None
    return page([serializers.run(row, seen, now) for row in rows[:limit]], following)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(RunCreateSchema)
@blueprint.response(201, RunSchema)
@blueprint.alt_response(200, schema=RunSchema, description="The TestRun has this run already")
def create_run(payload: dict[str, Any]) -> Response:
    """Create a run, or register the run of a TestRun object."""
    ctx = app_context()
    with ctx.store.writing() as connection:
        if payload["origin"] == Origin.CRD:
            run_id, new = new_runs.register(connection, payload, ctx.settings, ctx.clock())
        else:
            run_id = new_runs.create(connection, payload, ctx.settings, ctx.clock())
            new = True
        document = run_document(connection, ctx, run_id)
    return created(document) if new else json_response(document)


@blueprint.route("/<uuid:run_id>")
@blueprint.response(200, RunSchema)
def get_run(run_id: Any) -> Response:
    """One run."""
    ctx = app_context()
    with ctx.store.reading() as connection:
        return json_response(run_document(connection, ctx, str(run_id)))


@blueprint.route("/<uuid:run_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_run(run_id: Any) -> Response:
    """Delete a run that has ended, with its log; a tombstone stays."""
    ctx = app_context()
    with ctx.store.writing() as connection:
        run = store.lock(connection, str(run_id))
        if run is None:
            raise _not_found(str(run_id))
        if not Status(run["status"]).final:
            raise ConflictError(f"the run is {run['status']}; cancel it first, then delete it")
        store.remove(connection, run, ctx.clock())
    log.info("run deleted run_id=%s", run_id)
    headers = {}
    if run["origin"] == Origin.CRD:
        headers["SparkTest-Remaining"] = kubectl.delete(_testrun(run))
    return Response(status=204, headers=headers)


@blueprint.route("/<uuid:run_id>/cancel", methods=["POST"])
@blueprint.response(202, RunSchema)
def cancel_run(run_id: Any) -> Response:
    """Ask for a run to be stopped; its status follows when the controller has stopped it."""
    ctx = app_context()
    with ctx.store.writing() as connection:
        cancel(connection, ctx, existing(connection, str(run_id)))
        return json_response(run_document(connection, ctx, str(run_id)), 202)


@blueprint.route("/<uuid:run_id>/rerun", methods=["POST"])
@blueprint.response(201, RunSchema)
def rerun(run_id: Any) -> Response:
    """Create a new API run that runs what this run ran."""
    ctx = app_context()
    with ctx.store.writing() as connection:
        run = existing(connection, str(run_id))
        copy_id = new_runs.rerun(connection, run, ctx.settings, ctx.clock())
        document = run_document(connection, ctx, copy_id)
    return created(document)


@blueprint.route("/<uuid:run_id>/claim", methods=["PUT"])
@blueprint.arguments(ClaimSchema)
@blueprint.response(200, RunSchema)
def claim_run(claim: dict[str, Any], run_id: Any) -> Response:
    """Take a run up for a cluster; a run belongs to one cluster for ever."""
    ctx = app_context()
    cluster = claim["cluster"]
    with ctx.store.writing() as connection:
        run = existing(connection, str(run_id))
        if run["cluster"] is None and Status(run["status"]).final:
            raise ConflictError(f"the run has ended: {run['status']}")
        if run["cluster"] is None:
            store.change(connection, run["id"], {"cluster": cluster}, ctx.clock())
        elif run["cluster"] != cluster:
            raise ConflictError(f"the run belongs to cluster {run['cluster']}")
        return json_response(run_document(connection, ctx, run["id"]))


@blueprint.route("/<uuid:run_id>/report", methods=["PUT"])
@blueprint.arguments(ReportSchema)
@blueprint.response(200, RunSchema)
def report_run(report: dict[str, Any], run_id: Any) -> Response:
    """Say what became of a run; applied only forward, repeats change nothing."""
    ctx = app_context()
    now = ctx.clock()
    with ctx.store.writing() as connection:
        run = existing(connection, str(run_id))
        changes = reports.changes(run, report, now)
        if changes:
            store.change(connection, run["id"], changes, now)
        document = run_document(connection, ctx, run["id"])
    if "status" in changes:
        log.info("run reported run_id=%s status=%s", run["id"], changes["status"])
    return json_response(document)


def existing(connection: Connection, run_id: str) -> Row:
    """The run, locked until the transaction ends.

    Raises:
        GoneError: it was deleted.
        NotFoundError: there never was one.
    """
    run = store.lock(connection, run_id)
    if run is None and store.is_removed(connection, run_id):
        raise GoneError(f"run {run_id} was deleted")
    if run is None:
        raise _not_found(run_id)
    return run


def cancel(connection: Connection, ctx: AppContext, run: Row) -> None:
    """Note that the run shall be stopped; the controller does it and reports.

    Raises:
        ConflictError: it has ended.
    """
    if Status(run["status"]).final:
        raise ConflictError(f"the run has already ended: {run['status']}")
    if run["cancel_requested_at"] is None:
        now = ctx.clock()
        store.change(connection, run["id"], {"cancel_requested_at": now}, now)
        log.info("run cancel requested run_id=%s", run["id"])


def created(document: dict[str, Any]) -> Response:
    """The answer to whoever asked for a new run."""
    log.info("run created run_id=%s origin=%s", document["id"], document["origin"])
    return json_response(document, 201, {"Location": f"/api/test-runs/{document['id']}"})


def run_document(connection: Connection, ctx: AppContext, run_id: str) -> dict[str, Any]:
    """The run as answered.

    Raises:
        NotFoundError: there is none.
    """
    row = store.document(connection, run_id)
    if row is None:
        raise _not_found(run_id)
    return serializers.run(row, controllers.seen(connection), ctx.clock())


def _not_found(run_id: str) -> NotFoundError:
    return NotFoundError(f"there is no run {run_id}")


def _testrun(run: Row) -> Run:
    """What the kubectl command of the TestRun object behind the run needs to know."""
    ref = K8sRef(namespace=run["k8s_ref_namespace"], name=run["k8s_ref_name"])
    return Run(
        id=run["id"],
        name=run["name"],
        status=Status(run["status"]),
        origin=Origin.CRD,
        created_at=run["created_at"],
        k8s_ref=ref,
    )
