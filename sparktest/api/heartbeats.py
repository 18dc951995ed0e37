"""Record when the controller of each cluster last sent a request."""

import time

from flask import current_app, request

from sparktest.api import auth
from sparktest.api.context import CONTROLLER_HEADER, app_context
from sparktest.api.store import runs as store
from sparktest.domain import Scope
from sparktest.errors import InvalidError

MAX_CLUSTER_LENGTH = 128


def record() -> None:
    """Record the request of a controller; run after `auth.check_request`.

    Only on routes that controllers use, and only with the scope controller: nobody else can add a
    row, or make a missing controller seem to be there.

    Raises:
        InvalidError: the header is not the uid of a cluster.
    """
    cluster = request.headers.get(CONTROLLER_HEADER)
    view = current_app.view_functions.get(request.endpoint or "")
    if cluster is None or Scope.CONTROLLER not in getattr(view, "required_scopes", ()):
        return
    if Scope.CONTROLLER not in auth.caller().scopes:
        return
    printable = cluster.isascii() and cluster.isprintable()
    if not (printable and 0 < len(cluster) <= MAX_CLUSTER_LENGTH):
        raise InvalidError(
            f"{CONTROLLER_HEADER}: must be the uid of a cluster, at most {MAX_CLUSTER_LENGTH} "
            "characters"
        )
    ctx = app_context()
    if ctx.heartbeats.is_due(cluster, time.monotonic()):
        ctx.store.write(lambda connection: store.record_heartbeat(connection, cluster, ctx.clock()))
