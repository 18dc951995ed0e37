"""Health routes: the process, its readiness, its database, and the controllers."""

from datetime import datetime
from typing import Literal

from flask import Response

from sparktest.api.context import app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.responses import json_response
from sparktest.api.store import runs
from sparktest.api.store.tables import REVISION
from sparktest.domain import ControllerSeen, WireStruct
from sparktest.errors import UnavailableError

blueprint = Blueprint("health", __name__, description="Health of the service.")


class Health(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The service answers."""

    status: Literal["healthy"] = "healthy"
    timestamp: datetime


@blueprint.route("/api/health", scope=())
@blueprint.response(200, Health)
def health() -> Response:
    """Check that the service and its database answer."""
    ctx = app_context()
    ctx.store.revision()
    return json_response(Health(timestamp=ctx.clock()))


@blueprint.route("/livez", scope=())
@blueprint.response(200, Health)
def livez() -> Response:
    """Check that the process answers; a restart would not help an unavailable database."""
    return json_response(Health(timestamp=app_context().clock()))


@blueprint.route("/readyz", scope=())
@blueprint.response(200, Health)
def readyz() -> Response:
    """Check that the database answers and has the revision that the code needs, or a later one.

    503 also while the process is shutting down.
    """
    ctx = app_context()
    if ctx.draining.is_set():
        raise UnavailableError("this process is shutting down")
    revision = ctx.store.revision()
    # A later one: a newer version has migrated it, and this process serves until it is replaced.
    if not (revision.isdecimal() and revision >= REVISION):
        raise UnavailableError(
            f"the database is at revision {revision}, this version needs {REVISION}; "
            "run: sparktest db upgrade"
        )
    return json_response(Health(timestamp=ctx.clock()))


@blueprint.route("/api/controllers")
@blueprint.response(200, list[ControllerSeen])
def list_controllers() -> Response:
    """List the time of the last request of each cluster's controller, latest first."""
    with app_context().store.reading() as connection:
        last = runs.heartbeats(connection)
    newest_first = sorted(last.items(), key=lambda pair: pair[1], reverse=True)
    return json_response(
        [ControllerSeen(cluster=cluster, seen_at=at) for cluster, at in newest_first]
    )
