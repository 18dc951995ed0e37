"""Objects with a name as documents: with names instead of ids, and only what has a value."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sparktest.api.definitions import definitions
from sparktest.api.executors import executors
from sparktest.api.resources import EMPTY_VALUES, Resource
from sparktest.api.schedules import schedules
from sparktest.api.suites import suites
from sparktest.errors import FieldError

Document = dict[str, Any]

NOT_FOUND = "00000000-0000-0000-0000-000000000000"


class Reference(NamedTuple):
    """A field of a document that names other objects, and the field of the API with their ids."""

    field: str
    id_field: str
    target: str
    several: bool = False


# In the order in which they can be stored: an object refers only to those before it.
KINDS: dict[str, Resource] = {
    "Executor": executors,
    "Definition": definitions,
    "Suite": suites,
    "Schedule": schedules,
}
REFERENCES: dict[str, Sequence[Reference]] = {
    "Executor": (),
    "Definition": (Reference("executor", "executorId", "Executor"),),
    "Suite": (Reference("definitions", "testDefinitionIds", "Definition", several=True),),
    "Schedule": (
        Reference("definition", "definitionId", "Definition"),
        Reference("suite", "suiteId", "Suite"),
    ),
}


def describe(connection: Connection, kind: str, row: Mapping[str, Any]) -> Document:
    """Return the object of a row as a document, with its kind and name first."""
    resource = KINDS[kind]
    fields = resource.serialize(row)
    document = {"kind": kind, "name": row["name"]}
    references = {each.id_field: each for each in REFERENCES[kind]}
    for name, value in fields.items():
        if value in EMPTY_VALUES or name not in writable(resource):
            continue
        if reference := references.get(name):
            ids = value if reference.several else [value]
            names = [_name(connection, reference, each) for each in ids]
            document[reference.field] = names if reference.several else names[0]
        else:
            document[name] = value
    return document


def resolve(
    connection: Connection, kind: str, document: Document, refused: Container[tuple[str, str]] = ()
) -> tuple[Document, list[FieldError]]:
    """Return the fields of a document with ids instead of names, and an error for each unknown.

    A name whose object is missing gets the id NOT_FOUND, so that the other fields can be checked.
    `refused` has kind and name of the documents of the same request that have errors.
    """
    fields = {name: value for name, value in document.items() if name not in ("kind", "apiVersion")}
    errors: list[FieldError] = []
    for reference in REFERENCES[kind]:
        value = fields.pop(reference.field, None)
        if value in EMPTY_VALUES:
            continue
        found = _ids(connection, reference, value, refused, errors)
        if reference.id_field in fields:
            detail = f"give {reference.field} or {reference.id_field}, not both"
            errors.append({"pointer": f"/{reference.field}", "detail": detail})
        fields[reference.id_field] = found if reference.several else next(iter(found), None)
    return fields, errors


def field_names(kind: str) -> list[str]:
    """Return the names of the fields that a document of this kind may have."""
    return [*(each.field for each in REFERENCES[kind]), *sorted(writable(KINDS[kind]))]


def writable(resource: Resource) -> set[str]:
    """Return the names of the fields that a request may set."""
    return {field.data_key or name for name, field in resource.schema.load_fields.items()}


def _ids(
    connection: Connection,
    reference: Reference,
    value: Any,
    refused: Container[tuple[str, str]],
    errors: list[FieldError],
) -> list[str]:
    names = value if reference.several and isinstance(value, list) else [value]
    target = KINDS[reference.target]
    found: list[str] = []
    for n, name in enumerate(names):
        at = f"/{reference.field}/{n}" if reference.several else f"/{reference.field}"
        if not isinstance(name, str):
            errors.append({"pointer": at, "detail": f"must be the name of a {target.noun}"})
        elif row := target.table.find_named(connection, name):
            found.append(str(row["id"]))
            continue
        elif (reference.target, name) in refused:
            errors.append({"pointer": at, "detail": f"the {target.noun} {name!r} has errors"})
        else:
            errors.append({"pointer": at, "detail": f"no {target.noun} is called {name!r}"})
        found.append(NOT_FOUND)
    return found


def _name(connection: Connection, reference: Reference, key: str) -> str:
    row = KINDS[reference.target].table.find(connection, key)
    # The foreign key forbids that there is none.
    return str(row["name"]) if row else key
