"""Routes of definitions: list, create, get, replace, patch, delete, run."""

import uuid
from collections.abc import Mapping
from typing import Any

from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import new_runs, paging, runs, serializers
from sparktest.api.context import app_context
from sparktest.api.parsing import Blueprint, load, read_json
from sparktest.api.response_schemas import RunSchema, StoredDefinitionSchema
from sparktest.api.responses import json_response, page
from sparktest.api.schemas import DefinitionQuerySchema, DefinitionSchema, OverridesSchema
from sparktest.api.specs import MAX_NAME
from sparktest.api.store import definitions as store
from sparktest.api.store.rows import Row
from sparktest.errors import ConflictError, InvalidError, NotFoundError, PreconditionError

EMPTY: dict[str, Any] = {
    "description": "",
    "image": "",
    "commands": [],
    "command": [],
    "args": [],
    "env": {},
    "env_from": [],
    "resources": {},
    "service_account_name": None,
    "image_pull_secrets": [],
    "timeout_seconds": None,
    "executor_id": None,
    "labels": [],
}
MERGE_PATCH = {"application/merge-patch+json": {"schema": {"type": "object"}}}

blueprint = Blueprint("test-definitions", __name__, description="Definitions: reusable tests.")


@blueprint.route("")
@blueprint.arguments(DefinitionQuerySchema, location="query")
@blueprint.response(200, StoredDefinitionSchema(many=True))
def list_definitions(query: dict[str, Any]) -> Response:
    """Definitions, newest first; the Link header leads to the next page."""
    limit = query["limit"]
    below = paging.decode(query.get("cursor"))
    with app_context().store.reading() as connection:
        rows = store.page(connection, query.get("q"), below, limit + 1)
    following = paging.encode(rows[limit - 1]["seq"]) if len(rows) > limit else None
    return page([serializers.definition(row) for row in rows[:limit]], following)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(DefinitionSchema)
@blueprint.response(201, StoredDefinitionSchema)
def create_definition(payload: dict[str, Any]) -> Response:
    """Create a definition."""
    ctx = app_context()
    definition = {"id": str(uuid.uuid4()), "created_at": ctx.clock(), "version": 1}
    definition |= EMPTY | payload
    with ctx.store.writing() as connection:
        _check_executor(connection, definition)
        store.add(connection, definition)
    location = {"Location": f"/api/test-definitions/{definition['id']}"}
    return _answer(definition, 201, location)


@blueprint.route("/<uuid:definition_id>")
@blueprint.response(200, StoredDefinitionSchema)
def get_definition(definition_id: Any) -> Response:
    """One definition."""
    with app_context().store.reading() as connection:
        definition = _existing(connection, str(definition_id))
    if request.if_none_match.contains_weak(_tag(definition)):
        return Response(status=304, headers={"ETag": f'"{_tag(definition)}"'})
    return _answer(definition)


@blueprint.route("/<uuid:definition_id>", methods=["PUT"])
@blueprint.arguments(DefinitionSchema)
@blueprint.response(200, StoredDefinitionSchema)
def replace_definition(payload: dict[str, Any], definition_id: Any) -> Response:
    """Replace a definition; what the body does not say becomes empty."""
    with app_context().store.writing() as connection:
        definition = _existing(connection, str(definition_id))
        return _answer(_replaced(connection, definition, payload))


@blueprint.route("/<uuid:definition_id>", methods=["PATCH"])
@blueprint.doc(requestBody={"required": True, "content": MERGE_PATCH})
@blueprint.response(200, StoredDefinitionSchema)
def patch_definition(definition_id: Any) -> Response:
    """Change a definition by a JSON Merge Patch (RFC 7396); the result is validated as a whole."""
    patch = read_json(request)
    with app_context().store.writing() as connection:
        definition = _existing(connection, str(definition_id))
        # An empty field is one that nobody gave.
        given = {key: value for key, value in serializers.definition(definition).items() if value}
        merged = merge_patch(given, patch)
        return _answer(_replaced(connection, definition, load(DefinitionSchema(), merged)))


@blueprint.route("/<uuid:definition_id>", methods=["DELETE"])
@blueprint.response(204)
def delete_definition(definition_id: Any) -> Response:
    """Delete a definition; suites lose it, runs keep their snapshots."""
    with app_context().store.writing() as connection:
        definition = _existing(connection, str(definition_id))
        _check_version(definition)
        if not store.remove(connection, definition["id"], definition["version"]):
            raise _changed_meanwhile()
    return Response(status=204)


@blueprint.route("/<uuid:definition_id>/run", methods=["POST"])
@blueprint.arguments(OverridesSchema, required=False)
@blueprint.response(201, RunSchema)
def run_definition(payload: dict[str, Any], definition_id: Any) -> Response:
    """Run a definition, with the overrides of the body."""
    ctx = app_context()
    with ctx.store.writing() as connection:
        definition = _existing(connection, str(definition_id))
        payload.setdefault("name", f"{definition['name']} - Manual Run"[:MAX_NAME])
        run_id = new_runs.create(connection, payload, ctx.settings, ctx.clock(), definition)
        document = runs.run_document(connection, ctx, run_id)
    return runs.created(document)


def merge_patch(target: Any, patch: Any) -> Any:
    """The target after a JSON Merge Patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def _replaced(connection: Connection, definition: Row, payload: dict[str, Any]) -> Row:
    _check_version(definition)
    columns = EMPTY | payload
    _check_executor(connection, columns)
    if not store.replace(connection, definition["id"], definition["version"], columns):
        raise _changed_meanwhile()
    return {**definition, **columns, "version": definition["version"] + 1}


def _existing(connection: Connection, definition_id: str) -> Row:
    definition = store.find(connection, definition_id)
    if definition is None:
        raise NotFoundError(f"there is no definition {definition_id}")
    return definition


def _check_executor(connection: Connection, definition: Mapping[str, Any]) -> None:
    executor_id = definition["executor_id"]
    if executor_id and store.executor(connection, executor_id) is None:
        raise InvalidError.at("/executorId", f"no executor has the id {executor_id}")


def _check_version(definition: Row) -> None:
    if request.if_match and not request.if_match.contains(_tag(definition)):
        raise PreconditionError(
            f"the definition has version {definition['version']} by now; read it again"
        )


def _changed_meanwhile() -> ConflictError:
    return ConflictError("somebody else changed the definition at the same moment; try again")


def _tag(definition: Row) -> str:
    return str(definition["version"])


def _answer(definition: Row, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    tag = {"ETag": f'"{_tag(definition)}"'}
    return json_response(serializers.definition(definition), status, tag | (headers or {}))
