"""Routes of definitions: list, create, get, replace, patch, delete, run."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import msgspec
from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import auth, new_runs, runs
from sparktest.api.context import app_context
from sparktest.api.openapi import Blueprint
from sparktest.api.parsing import load, read_json
from sparktest.api.responses import (
    decode_cursor,
    json_response,
    location,
    no_content,
    page_response,
)
from sparktest.api.schemas import (
    DefinitionInputSchema,
    DefinitionQuerySchema,
    OverridesSchema,
    privileged_fields,
)
from sparktest.api.serializers import serialize_definition
from sparktest.api.specs import executor_defaults, resolve_spec, template_error
from sparktest.api.store import definitions as store
from sparktest.api.store.engine import Row
from sparktest.api.transactions import in_transaction
from sparktest.domain import MAX_NAME_LENGTH, Definition, Run, Scope
from sparktest.errors import ConflictError, InvalidError, NotFoundError, PreconditionError
from sparktest.merge_patch import merge_patch

# The columns of an empty definition.
EMPTY: dict[str, Any] = {
    field.name: field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    for field in msgspec.structs.fields(Definition)
    if not field.required and field.name != "version"
}
MERGE_PATCH = {"application/merge-patch+json": {"schema": {"type": "object"}}}

blueprint = Blueprint("test-definitions", __name__, description="Definitions: reusable tests.")


@blueprint.route("")
@blueprint.arguments(DefinitionQuerySchema, location="query")
@blueprint.response(200, list[Definition])
def list_definitions(query: dict[str, Any]) -> Response:
    """List definitions, newest first; the Link header leads to the next page."""
    limit = query["limit"]
    below = decode_cursor(query.get("cursor"))
    with app_context().store.reading() as connection:
        rows = store.page(connection, query.get("q"), below, limit + 1)
    return page_response(rows, limit, serialize_definition)


@blueprint.route("", scope=Scope.ADMIN, methods=["POST"])
@blueprint.arguments(DefinitionInputSchema)
@blueprint.response(201, Definition)
def create_definition(payload: dict[str, Any]) -> Response:
    """Create a definition."""
    ctx = app_context()
    definition = {"id": str(uuid4()), "created_at": ctx.clock(), "version": 1}
    definition |= EMPTY | payload

    def add(connection: Connection) -> Response:
        _check_parts(connection, definition)
        store.add(connection, definition)
        return _respond(definition, 201, location(f"/api/test-definitions/{definition['id']}"))

    return in_transaction(add)


@blueprint.route("/<uuid:definition_id>")
@blueprint.response(200, Definition)
def get_definition(definition_id: UUID) -> Response:
    """Return a definition."""
    with app_context().store.reading() as connection:
        definition = _required(store.find(connection, str(definition_id)), definition_id)
    if request.if_none_match.contains_weak(_etag(definition)):
        return Response(status=304, headers={"ETag": f'"{_etag(definition)}"'})
    return _respond(definition)


@blueprint.route("/<uuid:definition_id>", scope=Scope.ADMIN, methods=["PUT"])
@blueprint.arguments(DefinitionInputSchema)
@blueprint.response(200, Definition)
def replace_definition(payload: dict[str, Any], definition_id: UUID) -> Response:
    """Replace a definition; fields that are missing from the body become empty."""

    def replace(connection: Connection) -> Response:
        definition = _locked(connection, definition_id)
        return _respond(_replace(connection, definition, payload))

    return in_transaction(replace)


@blueprint.route("/<uuid:definition_id>", scope=Scope.ADMIN, methods=["PATCH"])
@blueprint.doc(requestBody={"required": True, "content": MERGE_PATCH})
@blueprint.response(200, Definition)
def patch_definition(definition_id: UUID) -> Response:
    """Apply a JSON Merge Patch (RFC 7396); the result is validated as a whole."""
    patch = read_json(request, required=True)

    def apply(connection: Connection) -> Response:
        definition = _locked(connection, definition_id)
        # An empty field counts as not given.
        given = {key: value for key, value in serialize_definition(definition).items() if value}
        merged = merge_patch(given, patch)
        return _respond(_replace(connection, definition, load(DefinitionInputSchema(), merged)))

    return in_transaction(apply)


@blueprint.route("/<uuid:definition_id>", scope=Scope.ADMIN, methods=["DELETE"])
@blueprint.response(204)
def delete_definition(definition_id: UUID) -> Response:
    """Delete a definition; it is removed from suites, its runs keep their snapshots."""

    def remove(connection: Connection) -> Response:
        definition = _locked(connection, definition_id)
        _check_version(definition)
        store.remove(connection, definition["id"])
        return no_content()

    return in_transaction(remove)


@blueprint.route("/<uuid:definition_id>/run", scope=Scope.RUN, methods=["POST"])
@blueprint.arguments(OverridesSchema, required=False)
@blueprint.response(201, Run)
def run_definition(payload: dict[str, Any], definition_id: UUID) -> Response:
    """Run a definition, with the overrides of the body."""
    ctx = app_context()
    auth.require_admin(privileged_fields(payload), runs.NEEDS_ADMIN)

    def create(connection: Connection) -> Response:
        definition = _locked(connection, definition_id)
        payload.setdefault("name", f"{definition['name']} - Manual Run"[:MAX_NAME_LENGTH])
        run_id = new_runs.create(connection, payload, ctx.settings, ctx.clock(), definition)
        return runs.created(runs.run_document(connection, ctx, run_id))

    return in_transaction(create)


def _replace(connection: Connection, definition: Row, payload: dict[str, Any]) -> Row:
    _check_version(definition)
    columns = EMPTY | payload
    _check_parts(connection, {**columns, "id": definition["id"]})
    columns["version"] = definition["version"] + 1
    store.change(connection, definition["id"], columns)
    return {**definition, **columns}


def _locked(connection: Connection, definition_id: UUID) -> Row:
    return _required(store.find(connection, str(definition_id), for_update=True), definition_id)


def _required(definition: Row | None, definition_id: UUID) -> Row:
    if definition is None:
        raise NotFoundError(f"there is no definition {definition_id}")
    return definition


def _check_parts(connection: Connection, definition: Mapping[str, Any]) -> None:
    """Check the definition together with its executor, and its name."""
    named = store.find_named(connection, definition["name"])
    if named and named["id"] != definition["id"]:
        raise ConflictError(f"a definition is called {named['name']!r} already: {named['id']}")
    executor_id = definition["executor_id"]
    executor = store.find_executor(connection, executor_id) if executor_id else None
    if executor_id and executor is None:
        raise InvalidError.at("/executorId", f"no executor has the id {executor_id}")
    error = template_error(definition, [executor_defaults(executor)] if executor else [])
    if error:
        raise InvalidError.at(**error)
    spec = resolve_spec({}, {**definition, "id": None}, executor, default_timeout_seconds=1)
    if not spec["image"]:
        raise InvalidError.at("/image", "is required: the template's test container has none")


def _check_version(definition: Row) -> None:
    if request.if_match and not request.if_match.contains(_etag(definition)):
        raise PreconditionError(
            f"the definition now has version {definition['version']}; read it again"
        )


def _etag(definition: Row) -> str:
    return str(definition["version"])


def _respond(definition: Row, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    tag = {"ETag": f'"{_etag(definition)}"'}
    return json_response(serialize_definition(definition), status, tag | (headers or {}))
