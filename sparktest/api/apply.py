"""The route that creates or updates several objects by name, all in one transaction."""

import difflib
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields
from marshmallow.validate import Length
from sqlalchemy import Connection

from sparktest.api import fields as api_fields
from sparktest.api.context import app_context
from sparktest.api.documents import KINDS, REFERENCES, Document, describe, field_names, resolve
from sparktest.api.openapi import Blueprint
from sparktest.api.parsing import field_errors, unknown_fields
from sparktest.api.resources import Resource
from sparktest.api.responses import json_response
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope
from sparktest.domain_apply import MAX_DOCUMENTS, Action, Applied, ApplyResult
from sparktest.errors import FieldError, InvalidError

blueprint = Blueprint("apply", __name__, description="Objects from documents, by name.")


class ApplySchema(api_fields.Schema):
    """Documents to apply."""

    documents = fields.List(
        fields.Dict(),
        required=True,
        validate=Length(1, MAX_DOCUMENTS, error=f"must be 1 to {MAX_DOCUMENTS} documents"),
        metadata={
            "description": "Each has `kind` (Executor, Definition, Suite, Schedule), `name` and "
            "the fields of the kind; `executor`, `definition`, `definitions`, `suite` are names."
        },
    )
    dry_run = api_fields.Bool(metadata={"description": "Store nothing."})


class _DryRun(Exception):  # noqa: N818 - no error: it rolls the transaction back
    def __init__(self, applied: list[Applied]) -> None:
        super().__init__()
        self.applied = applied


@blueprint.route("", scope=Scope.ADMIN, methods=["POST"])
@blueprint.arguments(ApplySchema)
@blueprint.response(200, ApplyResult)
def apply_documents(payload: dict[str, Any]) -> Response:
    """Create or update objects by name; all of them, or none if one document is wrong."""
    documents, dry_run = payload["documents"], payload.get("dry_run", False)
    _check_kinds(documents)

    def store(connection: Connection) -> Response:
        applied = _apply_all(connection, documents)
        if dry_run:
            raise _DryRun(applied)
        return json_response(ApplyResult(dry_run=False, applied=tuple(applied)))

    try:
        response = in_transaction(store)
    except _DryRun as end:
        # The ids of new objects were never stored.
        applied = [
            each if each.before else Applied(**_fields(each) | {"id": None}) for each in end.applied
        ]
        return json_response(ApplyResult(dry_run=True, applied=tuple(applied)))
    app_context().schedules_changed.set()
    return response


def _fields(applied: Applied) -> dict[str, Any]:
    return {name: getattr(applied, name) for name in applied.__struct_fields__}


def _check_kinds(documents: Sequence[Document]) -> None:
    """Refuse a document without a known kind and a name, and two about the same object."""
    errors: list[FieldError] = []
    seen: Counter[tuple[str, str]] = Counter()
    for n, document in enumerate(documents):
        kind, name = document.get("kind"), document.get("name")
        if kind not in KINDS:
            detail = f"must be one of {', '.join(KINDS)}"
            errors.append({"pointer": f"/documents/{n}/kind", "detail": detail})
        elif not isinstance(name, str) or not name:
            errors.append({"pointer": f"/documents/{n}/name", "detail": "is required"})
        else:
            seen[kind, name] += 1
            if seen[kind, name] == 2:
                detail = f"another document is about the {KINDS[kind].noun} {name!r}"
                errors.append({"pointer": f"/documents/{n}/name", "detail": detail})
    _raise(errors)


def _apply_all(connection: Connection, documents: Sequence[Document]) -> list[Applied]:
    """Store all documents and return what became of them, in their order.

    Raises:
        InvalidError: documents are wrong; all errors of all of them.
    """
    order = list(KINDS)
    numbers = sorted(range(len(documents)), key=lambda n: order.index(documents[n]["kind"]))
    applied: dict[int, Applied] = {}
    errors: list[FieldError] = []
    refused: set[tuple[str, str]] = set()
    for n in numbers:
        try:
            applied[n] = _apply(connection, documents[n], refused)
        except InvalidError as error:
            refused.add((documents[n]["kind"], documents[n]["name"]))
            errors += [_below(n, each) for each in error.errors]
    _raise(errors)
    return [applied[n] for n in range(len(documents))]


def _apply(
    connection: Connection, document: Document, refused: Container[tuple[str, str]]
) -> Applied:
    kind = document["kind"]
    resource = KINDS[kind]
    given, errors = resolve(connection, kind, document, refused)
    errors += [
        {"pointer": pointer, "detail": _unknown(pointer, kind)}
        for pointer in unknown_fields(resource.schema, given)
    ]
    payload = _load(resource, given, errors)
    errors = [_by_name(each, kind, document) for each in errors]
    if errors:
        raise InvalidError("", errors=errors)
    found = resource.table.find_named(connection, payload["name"])
    before = found and resource.table.lock(connection, found["id"])
    if before is None:
        row = resource.insert(connection, payload)
        action = Action.CREATED
    else:
        row = resource.merge(connection, before, payload)
        same = describe(connection, kind, row) == describe(connection, kind, before)
        action = Action.UNCHANGED if same else Action.CHANGED
        if not same:
            resource.update(connection, before, row)
    return Applied(
        kind=kind,
        name=row["name"],
        action=action,
        id=row["id"],
        before=describe(connection, kind, before) if before else None,
        after=describe(connection, kind, row),
    )


def _unknown(pointer: str, kind: str) -> str:
    """Return that a field is unknown, and which one may be meant."""
    similar = difflib.get_close_matches(pointer[1:], field_names(kind), n=1)
    return f"unknown field; did you mean {similar[0]}?" if similar else "unknown field"


def _load(resource: Resource, given: Document, errors: list[FieldError]) -> dict[str, Any]:
    """Return the loaded fields; add what is wrong with them to `errors`."""
    try:
        return dict(resource.schema.load(given, unknown=ma.EXCLUDE))
    except ma.ValidationError as error:
        errors += field_errors(error.messages)
        return {}


def _by_name(error: FieldError, kind: str, document: Document) -> FieldError:
    """Return an error about the field with an id as one about the field with a name."""
    for reference in REFERENCES[kind]:
        if error["pointer"] == f"/{reference.id_field}" and reference.id_field not in document:
            return {"pointer": f"/{reference.field}", "detail": error["detail"]}
    return error


def _below(n: int, error: FieldError) -> FieldError:
    return {"pointer": f"/documents/{n}{error['pointer']}", "detail": error["detail"]}


def _raise(errors: Sequence[FieldError]) -> None:
    if errors:
        detail = "; ".join(f"{each['pointer']}: {each['detail']}" for each in errors)
        raise InvalidError(f"{detail}; nothing was stored", errors=errors)
