"""The routes of objects with a unique name: list, create, get, replace, patch, delete."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

import marshmallow as ma
import msgspec
from flask import Response, request
from sqlalchemy import Connection

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
from sparktest.api.schemas import NamedQuerySchema
from sparktest.api.serializers import serialize_resource
from sparktest.api.store.engine import Row
from sparktest.api.store.resources import ResourceTable
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope, WireStruct
from sparktest.errors import ConflictError, NameTakenError, NotFoundError, PreconditionError
from sparktest.merge_patch import merge_patch

MERGE_PATCH = {"application/merge-patch+json": {"schema": {"type": "object"}}}
# One more than an error shows of the names that refer to an object.
MAX_NAMES = 6
EMPTY_VALUES: tuple[Any, ...] = (None, "", (), [], {})

View = TypeVar("View", bound=Callable[..., Response])


class Resource:
    """One kind of object with a unique name, such as executors.

    A subclass overrides `prepare` and `before_delete` to check an object together with others.

    Args:
        noun: the name of the kind, such as `executor`.
        path: the path of the list, such as `/api/test-executors`.
        struct: the type of its documents.
        schema: the schema of its request bodies.
        table: the table that stores it.
    """

    def __init__(
        self,
        noun: str,
        path: str,
        struct: type[WireStruct],
        schema: type[ma.Schema],
        table: ResourceTable,
    ) -> None:
        self.noun = noun
        self.path = path
        self.struct = struct
        self.schema = schema()
        self.table = table
        self._empty = _defaults(struct, self.schema)

    def prepare(self, connection: Connection, row: dict[str, Any]) -> dict[str, Any]:
        """Return the columns to store for a new or changed object.

        Args:
            connection: in a transaction.
            row: the columns of the struct; for a changed object, all columns of its table.

        Raises:
            InvalidError: the object does not fit to others, such as an unknown id.
        """
        return row

    def before_delete(self, connection: Connection, row: Row) -> None:
        """Check that the object may be deleted, or change what refers to it.

        Raises:
            ConflictError: it is in use.
        """

    def serialize(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document of a row."""
        return serialize_resource(self.struct, row)

    def list_page(self, query: dict[str, Any]) -> Response:
        """Answer a page of the list; `query` is a loaded NamedQuerySchema."""
        limit = query["limit"]
        below = decode_cursor(query.get("cursor"))
        with app_context().store.reading() as connection:
            rows = self.table.page(connection, query.get("q"), below, limit + 1)
        return page_response(rows, limit, self.serialize)

    def create(self, payload: dict[str, Any]) -> Response:
        """Store a new object and answer it."""

        def add(connection: Connection) -> Response:
            row = self.insert(connection, payload)
            return self._respond(row, 201, location(f"{self.path}/{row['id']}"))

        return in_transaction(add)

    def get(self, key: UUID) -> Response:
        """Answer the object, or 304 if the client has this version."""
        with app_context().store.reading() as connection:
            row = self.found(connection, key)
        if request.if_none_match.contains_weak(_etag(row)):
            return Response(status=304, headers={"ETag": f'"{_etag(row)}"'})
        return self._respond(row)

    def replace(self, payload: dict[str, Any], key: UUID) -> Response:
        """Replace the object and answer it; what the payload does not have becomes empty."""
        return in_transaction(
            lambda connection: self._store(connection, self.locked(connection, key), payload)
        )

    def patch(self, key: UUID) -> Response:
        """Apply the body, a JSON Merge Patch, to the object and answer it."""
        patch = read_json(request, required=True)

        def apply(connection: Connection) -> Response:
            row = self.locked(connection, key)
            # An empty field counts as not given.
            given = {
                name: value
                for name, value in self.serialize(row).items()
                if value not in EMPTY_VALUES
            }
            return self._store(connection, row, load(self.schema, merge_patch(given, patch)))

        return in_transaction(apply)

    def delete(self, key: UUID) -> Response:
        """Delete the object."""

        def remove(connection: Connection) -> Response:
            row = self.locked(connection, key)
            _check_version(row, self.noun)
            self.before_delete(connection, row)
            self.table.remove(connection, row["id"])
            return no_content()

        return in_transaction(remove)

    def found(self, connection: Connection, key: UUID) -> Row:
        """Return the row; raise NotFoundError if there is none."""
        return self._required(self.table.find(connection, str(key)), key)

    def locked(self, connection: Connection, key: UUID) -> Row:
        """Return the row, locked until the transaction ends; raise NotFoundError if none."""
        return self._required(self.table.lock(connection, str(key)), key)

    def insert(self, connection: Connection, payload: dict[str, Any]) -> dict[str, Any]:
        """Store a new object and return its columns; raise NameTakenError if the name is taken."""
        new = {"id": str(uuid4()), "created_at": app_context().clock(), "version": 1}
        row = self.prepare(connection, new | self._empty | payload)
        if self.table.add(connection, row) is None:
            raise self._name_taken(connection, row["name"])
        return row

    def merge(self, connection: Connection, before: Row, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the columns of a locked object, with the fields of the payload instead of its."""
        return self.prepare(connection, {**before, **self._empty, **payload})

    def update(self, connection: Connection, before: Row, row: dict[str, Any]) -> None:
        """Store changed columns of a locked object; raise NameTakenError if the name is taken."""
        row["version"] = before["version"] + 1
        if not self.table.change(connection, row):
            raise self._name_taken(connection, row["name"])

    def _store(self, connection: Connection, before: Row, payload: dict[str, Any]) -> Response:
        _check_version(before, self.noun)
        row = self.merge(connection, before, payload)
        self.update(connection, before, row)
        return self._respond(row)

    def _required(self, row: Row | None, key: UUID) -> Row:
        if row is None:
            raise NotFoundError(f"there is no {self.noun} {key}")
        return row

    def _name_taken(self, connection: Connection, name: str) -> NameTakenError:
        other = self.table.find_named(connection, name)
        if other is None:
            # It was deleted at this moment.
            return NameTakenError(f"another {self.noun} had the name {name!r}; try again")
        detail = f"the {self.noun} {other['id']} has the name {name!r} already"
        return NameTakenError(detail, path=f"{self.path}/{other['id']}")

    def _respond(
        self, row: Mapping[str, Any], status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        tag = {"ETag": f'"{_etag(row)}"'}
        return json_response(self.serialize(row), status, tag | (headers or {}))


def add_routes(blueprint: Blueprint, resource: Resource) -> None:
    """Serve list, create, get, replace, patch and delete of the resource."""
    noun, struct = resource.noun, resource.struct
    one = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    item = f"/<uuid:{noun}_id>"

    @blueprint.route("")
    @blueprint.arguments(NamedQuerySchema, location="query")
    @blueprint.response(200, list[struct])  # type: ignore[valid-type]
    @_described(f"list_{noun}s", f"List {noun}s, newest first; the header Link has the next page.")
    def list_page(query: dict[str, Any]) -> Response:
        return resource.list_page(query)

    @blueprint.route("", scope=Scope.ADMIN, methods=["POST"])
    @blueprint.arguments(resource.schema)
    @blueprint.response(201, struct)
    @blueprint.versioned
    @_described(f"create_{noun}", f"Create {one}; 409 with its Location if the name is taken.")
    def create(payload: dict[str, Any]) -> Response:
        return resource.create(payload)

    @blueprint.route(item)
    @blueprint.response(200, struct)
    @blueprint.versioned
    @_described(f"get_{noun}", f"Return {one}.")
    def get(**path: UUID) -> Response:
        return resource.get(*path.values())

    @blueprint.route(item, scope=Scope.ADMIN, methods=["PUT"])
    @blueprint.arguments(resource.schema)
    @blueprint.response(200, struct)
    @blueprint.versioned
    @_described(f"replace_{noun}", f"Replace {one}; what the body does not have becomes empty.")
    def replace(payload: dict[str, Any], **path: UUID) -> Response:
        return resource.replace(payload, *path.values())

    @blueprint.route(item, scope=Scope.ADMIN, methods=["PATCH"])
    @blueprint.doc(requestBody={"required": True, "content": MERGE_PATCH})
    @blueprint.response(200, struct)
    @blueprint.versioned
    @_described(
        f"patch_{noun}",
        f"Apply a JSON Merge Patch (RFC 7396) to {one}; the result is validated as a whole.",
    )
    def patch(**path: UUID) -> Response:
        return resource.patch(*path.values())

    @blueprint.route(item, scope=Scope.ADMIN, methods=["DELETE"])
    @blueprint.response(204)
    @blueprint.versioned
    @_described(f"delete_{noun}", f"Delete {one}.")
    def delete(**path: UUID) -> Response:
        return resource.delete(*path.values())


def refuse_if_used(users: str, names: Sequence[str], field: str) -> None:
    """Refuse to delete an object that others refer to.

    Args:
        users: the kind of the others, such as `definitions`.
        names: their names, at most `MAX_NAMES`.
        field: the field in which they refer to it.

    Raises:
        ConflictError: there are others.
    """
    if names:
        shown = ", ".join(repr(name) for name in names[: MAX_NAMES - 1])
        more = ", …" if len(names) == MAX_NAMES else ""
        raise ConflictError(
            f"{users} refer to it: {shown}{more}; delete them or change their {field} first"
        )


def _described(name: str, summary: str) -> Callable[[View], View]:
    """Give a view the name of its endpoint and the summary of its operation."""

    def describe(view: View) -> View:
        view.__name__, view.__doc__ = name, summary
        return view

    return describe


def _defaults(struct: type[WireStruct], schema: ma.Schema) -> dict[str, Any]:
    """Return the columns of an empty object: the fields that a request may leave out."""
    return {
        field.name: field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(struct)
        if not field.required and field.name in schema.load_fields
    }


def _check_version(row: Row, noun: str) -> None:
    if request.if_match and not request.if_match.contains(_etag(row)):
        raise PreconditionError(f"the {noun} now has version {row['version']}; read it again")


def _etag(row: Mapping[str, Any]) -> str:
    return str(row["version"])
