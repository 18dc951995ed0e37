"""Routes of health: is the process there, can it work, do its database and controllers answer."""

from flask import Response

from sparktest.api.context import app_context
from sparktest.api.parsing import Blueprint
from sparktest.api.response_schemas import ControllerSeenSchema, HealthSchema
from sparktest.api.responses import json_response
from sparktest.api.store import controllers
from sparktest.api.store.tables import REVISION
from sparktest.errors import UnavailableError

blueprint = Blueprint("health", __name__, description="Health of the service.")


@blueprint.route("/api/health")
@blueprint.doc(security=[])
@blueprint.response(200, HealthSchema)
def health() -> Response:
    """Whether the service and its database answer."""
    ctx = app_context()
    ctx.store.revision()
    return json_response({"status": "healthy", "timestamp": ctx.clock()})


@blueprint.route("/livez")
@blueprint.doc(security=[])
@blueprint.response(200, HealthSchema)
def livez() -> Response:
    """Whether the process answers; a restart would not help a database that is away."""
    return json_response({"status": "healthy", "timestamp": app_context().clock()})


@blueprint.route("/readyz")
@blueprint.doc(security=[])
@blueprint.response(200, HealthSchema)
def readyz() -> Response:
    """Whether requests can be answered: the database is there, and as new as the code."""
    ctx = app_context()
    revision = ctx.store.revision()
    if revision != REVISION:
        raise UnavailableError(
            f"the database is at revision {revision}, this version needs {REVISION}; "
            "run: sparktest db upgrade"
        )
    return json_response({"status": "healthy", "timestamp": ctx.clock()})


@blueprint.route("/api/controllers")
@blueprint.response(200, ControllerSeenSchema(many=True))
def seen() -> Response:
    """When the controller of each cluster last spoke, the one that spoke last first."""
    with app_context().store.reading() as connection:
        last = controllers.seen(connection)
    newest_first = sorted(last.items(), key=lambda pair: pair[1], reverse=True)
    return json_response([{"cluster": cluster, "seenAt": at} for cluster, at in newest_first])
