"""Routes of runs: list, create or register, get, delete, cancel, rerun, claim, report."""

import logging
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection

from sparktest import kubectl
from sparktest.api import auth, new_runs, registrations, reports, suite_progress
from sparktest.api.context import AppContext, app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.responses import json_response, location, no_content
from sparktest.api.schemas import (
    ClaimSchema,
    OverridesSchema,
    ReportSchema,
    RunCreateSchema,
    privileged_fields,
)
from sparktest.api.serializers import serialize_run, waits_for_controller
from sparktest.api.store import runs as store
from sparktest.api.store.engine import Row
from sparktest.api.store.run_documents import WAITING_REASON
from sparktest.api.transactions import in_transaction
from sparktest.domain import K8sRef, Origin, Run, Scope, Status
from sparktest.errors import ConflictError, GoneError, NotFoundError

NEEDS_ADMIN = "is allowed in a definition or a TestRun object; elsewhere it needs the scope admin"
RERUN_NEEDS_ADMIN = (
    "the run has it, and not from its definition: to repeat the run needs the scope admin"
)

log = logging.getLogger(__name__)

blueprint = Blueprint("test-runs", __name__, description="Runs: each is one execution, one Job.")


@blueprint.route("", scope=(Scope.RUN, Scope.CONTROLLER), methods=["POST"])
@blueprint.arguments(RunCreateSchema)
@blueprint.response(201, Run)
@blueprint.alt_response(200, body=Run, description="The TestRun object has this run already")
@blueprint.errors(410)
def create_run(payload: dict[str, Any]) -> Response:
    """Create a run, or register the run of a TestRun object.

    To register one with its `uid` needs the scope controller, everything else the scope run. With
    `origin: crd` and without a `uid` it is a record that another program reports for.
    """
    ctx = app_context()
    auth.require(Scope.CONTROLLER if _registers(payload) else Scope.RUN)
    if not _registers(payload):
        auth.require_admin(privileged_fields(payload), NEEDS_ADMIN)

    def add(connection: Connection) -> Response:
        new = True
        if _registers(payload):
            run, new = registrations.register(connection, payload, ctx.settings, ctx.clock())
        elif payload["origin"] == Origin.CRD:
            run = registrations.record(connection, payload, ctx.settings, ctx.clock())
        else:
            run = new_runs.create(connection, payload, ctx.settings, ctx.clock())
        document = serialize(connection, ctx, run)
        return created(document) if new else json_response(document)

    return in_transaction(add, audited=not _registers(payload))


@blueprint.route("/<uuid:run_id>", scope=(Scope.READ, Scope.CONTROLLER))
@blueprint.response(200, Run)
@blueprint.versioned
def get_run(run_id: UUID) -> Response:
    """Return a run."""
    ctx = app_context()
    with ctx.store.reading() as connection:
        document = run_document(connection, ctx, str(run_id))
    etag = str(document["version"])
    if document.get("statusReason") == WAITING_REASON:
        # It comes and goes with the controller, and without a new version.
        etag += "-waiting"
    response = json_response(document)
    response.set_etag(etag)
    response.make_conditional(request)
    return response


@blueprint.route("/<uuid:run_id>", scope=Scope.ADMIN, methods=["DELETE"])
@blueprint.response(204)
def delete_run(run_id: UUID) -> Response:
    """Delete a run that has ended, or that no controller has taken; a tombstone is kept."""
    ctx = app_context()

    def remove(connection: Connection) -> Response:
        run = store.find(connection, str(run_id), for_update=True)
        if run is None:
            raise _not_found(str(run_id))
        if not (Status(run["status"]).final or _is_untaken(connection, ctx, run)):
            raise ConflictError(f"the run is {run['status']}; cancel it first, then delete it")
        store.remove(connection, run, ctx.clock())
        suite_progress.after_delete(connection, run, ctx.clock())
        log.info("run deleted run_id=%s", run_id)
        headers = {}
        if run["origin"] == Origin.CRD:
            headers["SparkTest-Remaining"] = kubectl.delete(_testrun(run))
        return no_content(headers)

    return in_transaction(remove)


@blueprint.route("/<uuid:run_id>/cancel", scope=Scope.RUN, methods=["POST"])
@blueprint.response(202, Run)
@blueprint.errors(410)
def cancel_run(run_id: UUID) -> Response:
    """Request cancellation; the status changes once the controller has stopped the run."""
    ctx = app_context()

    def request_cancellation(connection: Connection) -> Response:
        run = cancel(connection, ctx, existing(connection, str(run_id)))
        return json_response(serialize(connection, ctx, store.as_text(run)), 202)

    return in_transaction(request_cancellation)


@blueprint.route("/<uuid:run_id>/rerun", scope=Scope.RUN, methods=["POST"])
@blueprint.arguments(OverridesSchema, required=False)
@blueprint.response(201, Run)
@blueprint.errors(410)
def rerun(payload: dict[str, Any], run_id: UUID) -> Response:
    """Create a new API run with the namespace and spec of this run, and the body's overrides."""
    ctx = app_context()
    auth.require_admin(privileged_fields(payload), NEEDS_ADMIN)

    def repeat(connection: Connection) -> Response:
        run = existing(connection, str(run_id))
        auth.require_admin(new_runs.rerun_privileges(connection, run), RERUN_NEEDS_ADMIN)
        if run["namespace"] not in new_runs.namespaces(ctx.settings):
            why = f"to repeat a run of the namespace {run['namespace']} needs the scope admin"
            auth.require_admin(["/namespace"], why)
        again = new_runs.rerun(connection, payload, run, ctx.clock())
        return created(serialize(connection, ctx, again))

    return in_transaction(repeat)


@blueprint.route("/<uuid:run_id>/claim", scope=Scope.CONTROLLER, methods=["PUT"])
@blueprint.arguments(ClaimSchema)
@blueprint.response(200, Run)
@blueprint.errors(410)
def claim_run(claim: dict[str, Any], run_id: UUID) -> Response:
    """Claim a run for a cluster; a run never changes its cluster."""
    ctx = app_context()
    cluster = claim["cluster"]

    def compare_and_set(connection: Connection) -> Response:
        run = existing(connection, str(run_id))
        if run["cluster"] is None:
            _check_claimable(run)
        if run["cluster"] is None:
            run = store.change(connection, run, {"cluster": cluster}, ctx.clock())
        elif run["cluster"] != cluster:
            raise ConflictError(f"the run belongs to cluster {run['cluster']}")
        return json_response(serialize(connection, ctx, store.as_text(run)))

    return in_transaction(compare_and_set, audited=False)


@blueprint.route("/<uuid:run_id>/report", scope=Scope.CONTROLLER, methods=["PUT"])
@blueprint.arguments(ReportSchema)
@blueprint.response(200, Run)
@blueprint.errors(410)
def report_run(report: dict[str, Any], run_id: UUID) -> Response:
    """Report the progress of a run; a status only moves forward, repeats change nothing."""
    ctx = app_context()
    now = ctx.clock()

    def apply(connection: Connection) -> Response:
        run = existing(connection, str(run_id))
        changes = reports.changes(run, report, now)
        if changes:
            before, run = run, store.change(connection, run, changes, now)
            suite_progress.after_change(connection, before, changes, now)
        if "status" in changes:
            log.info("run reported run_id=%s status=%s", run["id"], changes["status"])
        return json_response(serialize(connection, ctx, store.as_text(run)))

    return in_transaction(apply, audited=False)


def existing(connection: Connection, run_id: str) -> Row:
    """Return the run and lock it until the transaction ends.

    Raises:
        GoneError: it was deleted.
        NotFoundError: there was never one.
    """
    run = store.find(connection, run_id, for_update=True)
    if run is None and store.is_removed(connection, run_id):
        raise GoneError.of_run(run_id, f"run {run_id} was deleted")
    if run is None:
        raise _not_found(run_id)
    return run


def cancel(connection: Connection, ctx: AppContext, run: Row) -> Row:
    """Record a request to stop the run, and return it; the controller stops it and reports.

    A run that waits for others in its suite ends at once: no controller has it.

    Raises:
        ConflictError: it has ended.
    """
    if Status(run["status"]).final:
        raise ConflictError(f"the run has already ended: {run['status']}")
    now = ctx.clock()
    if run["blocked"]:
        return suite_progress.leave_out(connection, run, now)
    if run["cancel_requested_at"] is None:
        run = store.change(connection, run, {"cancel_requested_at": now}, now)
        log.info("run cancellation requested run_id=%s", run["id"])
    return run


def created(document: dict[str, Any]) -> Response:
    """Return the response for a new run."""
    return json_response(document, 201, location(f"/api/test-runs/{document['id']}"))


def run_document(connection: Connection, ctx: AppContext, run_id: str) -> dict[str, Any]:
    """Return the document of a run.

    Raises:
        NotFoundError: there is none.
    """
    row = store.find_as_text(connection, run_id)
    if row is None:
        raise _not_found(run_id)
    return serialize(connection, ctx, row)


def serialize(connection: Connection, ctx: AppContext, row: Row) -> dict[str, Any]:
    """Return the document of a row whose JSON columns are text."""
    return serialize_run(row, store.heartbeats(connection), ctx.clock())


def _registers(payload: dict[str, Any]) -> bool:
    return payload["origin"] == Origin.CRD and payload["k8s_ref"].get("uid") is not None


def _is_untaken(connection: Connection, ctx: AppContext, run: Row) -> bool:
    """Return True for a pending run that no controller has claimed or registered."""
    if run["status"] != Status.PENDING or run["job_uid"] is not None:
        return False
    if run["cluster"] is None:
        return True
    # A rerun has its cluster from the start; it is not taken while no controller is there.
    heartbeats = store.heartbeats(connection)
    return bool(run["rerun_of"]) and waits_for_controller(run, heartbeats, ctx.clock())


def _check_claimable(run: Row) -> None:
    """Raise ConflictError if no controller may take the run."""
    if Status(run["status"]).final:
        raise ConflictError(f"the run has ended: {run['status']}")
    if run["blocked"]:
        raise ConflictError("the run waits for the run before it in its suite")
    if not run["job_name"]:
        raise ConflictError("the run is a record that another program reports for")


def _not_found(run_id: str) -> NotFoundError:
    return NotFoundError(f"there is no run {run_id}")


def _testrun(run: Row) -> Run:
    """Return the fields that the kubectl command of the run's TestRun object needs."""
    ref = K8sRef(namespace=run["k8s_ref_namespace"], name=run["k8s_ref_name"])
    return Run(
        id=run["id"],
        name=run["name"],
        status=Status(run["status"]),
        origin=Origin.CRD,
        created_at=run["created_at"],
        k8s_ref=ref,
    )
