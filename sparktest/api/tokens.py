"""Routes of tokens: list, create, get one's own, revoke."""

from typing import Any
from uuid import UUID, uuid4

from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import auth, idempotency
from sparktest.api.access_schemas import TokenInputSchema
from sparktest.api.authenticator import digest, new_token
from sparktest.api.context import app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.responses import (
    decode_cursor,
    json_response,
    location,
    no_content,
    page_response,
)
from sparktest.api.schemas import PageSchema
from sparktest.api.store import tokens as store
from sparktest.api.store.engine import Row
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope
from sparktest.domain_access import Token, TokenAccess
from sparktest.errors import ConflictError, InvalidError, NotFoundError

blueprint = Blueprint("tokens", __name__, description="Tokens: who may use the API.")


@blueprint.route("", scope=Scope.ADMIN)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, list[Token])
def list_tokens(query: dict[str, Any]) -> Response:
    """List tokens without their secrets, newest first; the Link header leads to the next page."""
    limit = query["limit"]
    with app_context().store.reading() as connection:
        rows = store.page(connection, decode_cursor(query.get("cursor")), limit + 1)
    return page_response(rows, limit, _serialize)


@blueprint.route("", scope=Scope.ADMIN, methods=["POST"])
@blueprint.arguments(TokenInputSchema)
@blueprint.response(201, Token)
def create_token(payload: dict[str, Any]) -> Response:
    """Create a token; this answer is the only one that has the whole of it, as `token`."""
    idempotency.refuse(request, "the response has a secret, which is not stored")
    ctx = app_context()
    now = ctx.clock()
    if payload.get("expires_at") and payload["expires_at"] <= now:
        raise InvalidError.at("/expiresAt", "must be in the future")
    token_id = uuid4()
    token = new_token(token_id)
    row = {
        "id": str(token_id),
        "name": payload["name"],
        # Sorted as in the class: read, run, admin, controller.
        "scopes": [scope.value for scope in Scope if scope in payload["scopes"]],
        "digest": digest(token).hex(),
        "created_at": now,
        "expires_at": payload.get("expires_at"),
        "last_used_at": None,
    }

    def add(connection: Connection) -> Response:
        if not store.add(connection, row):
            raise ConflictError(f"a token is called {row['name']!r} already; revoke it first")
        headers = location(f"/api/tokens/{token_id}") | {"Cache-Control": "no-store"}
        return json_response(_serialize(row) | {"token": token}, 201, headers)

    return in_transaction(add)


@blueprint.route("/self", scope=tuple(Scope))
@blueprint.response(200, TokenAccess)
def get_own_token() -> Response:
    """Return name, scopes and expiry of the request's token.

    `bootstrap` is that of the setting SPARKTEST_TOKEN; without that setting, the name is `local`.
    """
    caller = auth.caller()
    scopes = tuple(scope for scope in Scope if scope in caller.scopes)
    return json_response(TokenAccess(name=caller.name, scopes=scopes, expires_at=caller.expires_at))


@blueprint.route("/<uuid:token_id>", scope=Scope.ADMIN)
@blueprint.response(200, Token)
def get_token(token_id: UUID) -> Response:
    """Return a token without its secret."""
    with app_context().store.reading() as connection:
        token = store.find(connection, str(token_id))
    if token is None:
        raise _not_found(token_id)
    return json_response(_serialize(token))


@blueprint.route("/<uuid:token_id>", scope=Scope.ADMIN, methods=["DELETE"])
@blueprint.response(204)
def revoke_token(token_id: UUID) -> Response:
    """Revoke a token: other processes of the API refuse it within 5 seconds."""

    def remove(connection: Connection) -> Response:
        if not store.remove(connection, str(token_id)):
            raise _not_found(token_id)
        return no_content()

    response = in_transaction(remove)
    app_context().authenticator.forget(token_id.hex)
    return response


def _not_found(token_id: UUID) -> NotFoundError:
    return NotFoundError(f"there is no token {token_id}")


def _serialize(token: Row) -> dict[str, Any]:
    return {
        "id": token["id"],
        "name": token["name"],
        "scopes": token["scopes"],
        "createdAt": token["created_at"],
        "expiresAt": token["expires_at"],
        "lastUsedAt": token["last_used_at"],
    }
