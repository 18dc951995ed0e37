"""Routes for several runs: create them in one transaction, and find out which do not exist."""

from collections.abc import Callable
from functools import partial
from typing import Any

import marshmallow as ma
import msgspec
from flask import Response, g
from marshmallow import fields
from marshmallow.validate import Length, Range
from sqlalchemy import Connection

from sparktest.api import auth, new_runs, runs
from sparktest.api.context import AppContext, app_context
from sparktest.api.fields import Schema
from sparktest.api.openapi import Blueprint
from sparktest.api.parsing import load
from sparktest.api.problems import encode_problem
from sparktest.api.responses import json_response
from sparktest.api.schemas import RunCreateSchema, privileged_fields
from sparktest.api.serializers import serialize_run
from sparktest.api.store import runs as store
from sparktest.api.store.engine import Row
from sparktest.api.transactions import in_transaction
from sparktest.domain import Origin, Scope
from sparktest.domain_batches import MAX_BATCH_RUNS, MAX_RUN_IDS, BatchResult, MissingRuns
from sparktest.errors import InvalidError, SparkTestError

blueprint = Blueprint("batches", __name__, description="Several runs at once.")


def _repeat() -> fields.Integer:
    return fields.Integer(strict=True, validate=Range(1, MAX_BATCH_RUNS))


class BatchItemSchema(RunCreateSchema):
    """A run to create, and how often."""

    repeat = _repeat()

    @ma.validates("origin")
    def of_the_api(self, origin: str, data_key: str) -> None:
        """Refuse TestRun objects, which are registered one by one."""
        if origin != Origin.API:
            raise ma.ValidationError("must be api in a batch")


class BatchSchema(Schema):
    """Runs to create. Each item is checked by itself."""

    items = fields.List(
        fields.Dict(),
        required=True,
        validate=Length(1, MAX_BATCH_RUNS),
        metadata={"description": "Bodies of `POST /api/test-runs`, each with its own `repeat`."},
    )
    repeat = _repeat()


class RunIdsSchema(Schema):
    """The ids of runs."""

    ids = fields.List(fields.UUID(), required=True, validate=Length(1, MAX_RUN_IDS))


ITEM = BatchItemSchema()


@blueprint.route("/test-runs:batch", scope=Scope.RUN, methods=["POST"])
@blueprint.arguments(BatchSchema)
@blueprint.response(200, list[BatchResult])
def create_runs(batch: dict[str, Any]) -> Response:
    """Create several runs in one transaction; an invalid item is refused alone.

    The answer has a result for each item, in their order. `repeat` creates a run several times.
    """
    ctx = app_context()
    items = _load_all(batch["items"])
    numbers = [
        item.pop("repeat", batch.get("repeat", 1)) for item in items if isinstance(item, dict)
    ]
    if sum(numbers) > MAX_BATCH_RUNS:
        detail = f"these are {sum(numbers)} runs with their repeats; at most {MAX_BATCH_RUNS}"
        raise InvalidError.at("/items", detail)

    def create(connection: Connection) -> Response:
        repeats = iter(numbers)
        # The same for all runs.
        show = partial(serialize_run, heartbeats=store.heartbeats(connection), now=ctx.clock())
        return json_response(
            [
                _refused(item)
                if isinstance(item, SparkTestError)
                else _create(connection, ctx, item, next(repeats), show)
                for item in items
            ]
        )

    return in_transaction(create)


@blueprint.route("/test-runs:missing", scope=Scope.CONTROLLER, methods=["POST"])
@blueprint.arguments(RunIdsSchema)
@blueprint.response(200, MissingRuns)
def list_missing_runs(body: dict[str, Any]) -> Response:
    """Return those of the ids that no run has: it was deleted, or this database never had it."""
    ids = [str(run_id) for run_id in body["ids"]]
    with app_context().store.reading() as connection:
        found = store.log_states(connection, ids)
    return json_response(MissingRuns(ids=tuple(each for each in ids if each not in found)))


def _load_all(items: list[dict[str, Any]]) -> list[dict[str, Any] | SparkTestError]:
    """Return the loaded items, or why they are refused; warn about unknown fields of all."""
    loaded, unknown = [], list(g.get("unknown_fields", []))
    for number, item in enumerate(items):
        g.unknown_fields = []
        loaded.append(_load(item))
        unknown += [f"/items/{number}{field}" for field in g.unknown_fields]
    g.unknown_fields = unknown
    return loaded


def _load(item: dict[str, Any]) -> dict[str, Any] | SparkTestError:
    """Return the loaded item, or why it is refused."""
    try:
        payload = load(ITEM, item)
        auth.require_admin(privileged_fields(payload), runs.NEEDS_ADMIN)
    except SparkTestError as error:
        return error
    return payload


def _create(
    connection: Connection,
    ctx: AppContext,
    payload: dict[str, Any],
    number: int,
    show: Callable[[Row], dict[str, Any]],
) -> dict[str, Any]:
    """Store the runs of an item and return its result."""
    try:
        first = new_runs.create(connection, payload, ctx.settings, ctx.clock())
    except InvalidError as error:
        return _refused(error)
    source = {"repeat_of": first["id"]}
    rows = [
        new_runs.create(connection, payload, ctx.settings, ctx.clock(), source=source)
        for _ in range(number - 1)
    ]
    result: dict[str, Any] = {"status": 201, "run": show(first)}
    return result | ({"repeats": [show(row) for row in rows]} if rows else {})


def _refused(error: SparkTestError) -> dict[str, Any]:
    problem = encode_problem(error.status, error.title, error.detail, errors=error.errors)
    return {"status": error.status, "problem": msgspec.Raw(problem)}
