"""The audit: record each write of a client, and list them."""

import posixpath
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import auth
from sparktest.api.access_schemas import AuditQuerySchema
from sparktest.api.context import app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.parsing import replace_nul
from sparktest.api.responses import decode_cursor, page_response
from sparktest.api.store import audit as store
from sparktest.api.store.engine import Row
from sparktest.domain import Scope
from sparktest.domain_access import AuditEntry

blueprint = Blueprint("audit", __name__, description="The audit: who wrote what, and when.")


@blueprint.route("", scope=Scope.ADMIN)
@blueprint.arguments(AuditQuerySchema, location="query")
@blueprint.response(200, list[AuditEntry])
def list_audit(query: dict[str, Any]) -> Response:
    """List the writes of clients, newest first; the Link header leads to the next page.

    Not what controllers send: registrations, claims, reports and logs.
    """
    limit = query["limit"]
    with app_context().store.reading() as connection:
        rows = store.page(connection, query, decode_cursor(query.get("cursor")), limit + 1)
    return page_response(rows, limit, _serialize)


def record(connection: Connection, response: Response, now: datetime) -> None:
    """Store who sends the current request, which is answered with this response."""
    location = response.headers.get("Location")
    view_args = (request.view_args or {}).values()
    written = _uuid(posixpath.basename(location)) if location else None
    addressed = next((value for value in view_args if isinstance(value, UUID)), None)
    store.add(
        connection,
        {
            "at": now,
            "actor": auth.caller().name,
            "method": request.method,
            "path": replace_nul(request.path),
            "status": response.status_code,
            "object_id": str(written or addressed) if written or addressed else None,
        },
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _serialize(row: Row) -> dict[str, Any]:
    return {
        "at": row["at"],
        "actor": row["actor"],
        "method": row["method"],
        "path": row["path"],
        "status": row["status"],
        "objectId": row["object_id"],
    }
