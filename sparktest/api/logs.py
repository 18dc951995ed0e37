"""Routes of logs: read, follow, append."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection
from werkzeug.exceptions import UnsupportedMediaType

from sparktest.api import log_events, runs, sse, streams
from sparktest.api.context import AppContext, app_context
from sparktest.api.fields import DNS_LABEL, path_name
from sparktest.api.openapi import Blueprint
from sparktest.api.parsing import read_body
from sparktest.api.responses import json_response
from sparktest.api.schemas import AppendSchema, LogQuerySchema
from sparktest.api.serializers import containers
from sparktest.api.store import logs as store
from sparktest.api.store import runs as run_store
from sparktest.api.store.engine import Row, publish
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope, StoredLog
from sparktest.errors import InvalidError, NotFoundError

MAX_APPEND_BYTES = 8 * 1024 * 1024
BINARY = "application/octet-stream"
OFFSET = re.compile(r"[0-9]{1,18}")
TEXT = "text/plain"
LOG = {TEXT: {"schema": {"type": "string"}}, **sse.CONTENT}

blueprint = Blueprint("logs", __name__, description="Logs of runs, one for each container.")


@blueprint.route("/<uuid:run_id>/logs", parameters=[sse.LAST_EVENT_ID])
@blueprint.arguments(LogQuerySchema, location="query")
@blueprint.doc(responses={"200": {"description": "The log", "content": LOG}})
def get_log(query: dict[str, Any], run_id: UUID) -> Response:
    """Return the stored log as text; with follow=true, stream it until the run has ended.

    With `Accept: text/event-stream`, a followed log is sent as Server-Sent Events, which have
    heartbeats: events `log` with `{text}`, or `{base64}` where the bytes are no UTF-8, and `end`.
    Their id is the offset to continue from.
    """
    ctx = app_context()
    with ctx.store.reading() as connection:
        run = run_store.find(connection, str(run_id))
        if run is None:
            raise NotFoundError(f"there is no run {run_id}")
        container = _container(connection, run, query.get("container"))
        end = store.length(connection, run["seq"], container)
        start = query.get("offset", 0)
        if "tail" in query:
            start = store.start_of_tail(connection, run["seq"], container, query["tail"])
    if query["follow"]:
        return _follow(ctx, run, container, start)
    response = _text(streams.stored(ctx, run, container, start, end))
    response.content_length = max(0, end - start)
    return response


@blueprint.route(
    "/<uuid:run_id>/logs/<container>",
    scope=Scope.CONTROLLER,
    methods=["PUT"],
    parameters=[path_name("container")],
)
@blueprint.arguments(AppendSchema, location="query")
@blueprint.doc(requestBody={"required": True, "content": {BINARY: {"schema": {"type": "string"}}}})
@blueprint.response(200, StoredLog)
@blueprint.errors(410)
def append_log(query: dict[str, Any], run_id: UUID, container: str) -> Response:
    """Append bytes to the log of a container; repeating a request changes nothing."""
    if not DNS_LABEL.fullmatch(container):
        raise InvalidError.at("/container", f"{container[:64]!r} is not a valid container name")
    if request.mimetype != BINARY:
        raise UnsupportedMediaType(f"send bytes, with Content-Type: {BINARY}")
    data = read_body(request, MAX_APPEND_BYTES)
    max_bytes = app_context().settings.log_max_bytes

    def append(connection: Connection) -> Response:
        run = runs.existing(connection, str(run_id))
        stored = store.append(
            connection, run["seq"], container, query["offset"], data, max_bytes=max_bytes
        )
        publish(connection, run["id"])
        return json_response(StoredLog(bytes=stored))

    response = in_transaction(append, audited=False)
    app_context().metrics.add("log_bytes", len(data))
    return response


def _container(connection: Connection, run: Row, name: str | None) -> str:
    """Return the container whose log is asked for; the test's own for None.

    Raises:
        NotFoundError: the run has no such container, and nothing is stored for one.
    """
    names = containers(run)
    if name is None or name in names:
        return name or names[0]
    stored = store.containers(connection, run["seq"])
    if name not in stored:
        known = ", ".join(dict.fromkeys((*names, *stored)))
        raise NotFoundError(f"the run has no container {name!r}; its containers are: {known}")
    return name


def _follow(ctx: AppContext, run: Row, container: str, start: int) -> Response:
    as_events = request.accept_mimetypes.best_match([TEXT, sse.MIMETYPE]) == sse.MIMETYPE
    received = request.headers.get("Last-Event-ID", "")
    if as_events and OFFSET.fullmatch(received):
        start = int(received)
    # Not the whole row, which would stay in memory as long as the stream.
    row = {"id": run["id"], "seq": run["seq"]}
    pieces = streams.follow(ctx, row, container, start, streams.Client(request.environ))
    if as_events:
        return streams.respond(ctx, log_events.encode(pieces, start), sse.MIMETYPE)
    return streams.respond(ctx, pieces, TEXT)


def _text(chunks: Iterator[bytes]) -> Response:
    # A test can print HTML: a browser must not render a log as a page.
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(chunks, mimetype=TEXT, headers=headers)
