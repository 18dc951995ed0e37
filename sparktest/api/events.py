"""Route of events: what happens to runs, as Server-Sent Events."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Response, request
from marshmallow import fields
from marshmallow.validate import OneOf

from sparktest.api import fields as api_fields
from sparktest.api import sse, streams
from sparktest.api.change_feed import Event
from sparktest.api.context import CONTROLLER_HEADER, AppContext, app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.store import changes
from sparktest.domain import Origin

NUMBER = re.compile(r"[0-9]{1,18}")
# Filters and their columns: only of what never changes, or is set once. A client would not see
# that a run leaves the filter.
FILTERS = {
    "origin": "origin",
    "namespace": "namespace",
    "cluster": "cluster",
    "definition_id": "test_definition_id",
    "suite_run_id": "suite_run_id",
    "schedule_id": "schedule_id",
}

blueprint = Blueprint("events", __name__, description="What happens to runs, as it happens.")


class EventQuerySchema(api_fields.Schema):
    """Which events, and where to begin. A filter given twice matches either value."""

    last_event_id = fields.String()
    origin = fields.List(fields.String(validate=OneOf(list(Origin))))
    namespace = fields.List(api_fields.text(63))
    cluster = fields.List(api_fields.text(128))
    definition_id = fields.List(api_fields.Id())
    suite_run_id = fields.List(api_fields.Id())
    schedule_id = fields.List(api_fields.Id())


@blueprint.route("/events", parameters=[sse.LAST_EVENT_ID])
@blueprint.arguments(EventQuerySchema, location="query")
@blueprint.doc(responses={"200": {"description": "A stream of events", "content": sse.CONTENT}})
def stream_events(query: dict[str, Any]) -> Response:
    """Stream the creations, changes and deletions of runs as Server-Sent Events.

    Events: `created` and `updated` with the run, `deleted` with `{id}`, and `resync` when changes
    since the given id are no longer known: then read the list of runs again. Without an id, the
    stream begins with the next change.
    """
    ctx = app_context()
    given = request.headers.get("Last-Event-ID") or query.pop("last_event_id", None)
    seq, beginning = _begin(ctx, given)
    wanted = _Filter(query, for_controller=CONTROLLER_HEADER in request.headers)
    client = streams.Client(request.environ)
    body = streams.events(ctx, seq, wanted, client, beginning)
    return streams.respond(ctx, body, sse.MIMETYPE)


def _begin(ctx: AppContext, given: str | None) -> tuple[int, bytes]:
    """Return the number to begin after, and what the stream sends first."""
    if given and NUMBER.fullmatch(given):
        with ctx.store.reading() as connection:
            if changes.is_kept(connection, int(given)):
                return int(given), sse.opening(given)
    newest = ctx.feed.newest()
    opening = sse.opening(str(newest))
    return newest, opening + sse.event("resync", b"{}", str(newest)) if given else opening


class _Filter:
    """Condition for events. Deletions always pass: what was deleted is not known any more."""

    def __init__(self, query: Mapping[str, Any], *, for_controller: bool) -> None:
        self._columns = {FILTERS[name]: frozenset(query[name]) for name in FILTERS if name in query}
        self._for_controller = for_controller

    def __call__(self, event: Event) -> bool:
        run = event.run
        if run is None:
            return True
        # A run that waits for another one of its suite is not shown to controllers.
        if self._for_controller and run["blocked"]:
            return False
        return all(run[column] in values for column, values in self._columns.items())
