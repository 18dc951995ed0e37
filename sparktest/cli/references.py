"""Names instead of ids where an object refers to others: as documents are kept in files."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sparktest.cli.lookup import find
from sparktest.client import ApiClient
from sparktest.client_resources import ResourceClient

Fields = dict[str, Any]


class Reference(NamedTuple):
    """A field of a document that names other objects, and the field of the API with their ids.

    Attributes:
        field: with a name, or a list of names.
        id_field: with an id, or a list of ids.
        noun: the kind of the other objects, for errors.
        calls: the calls of a client about them.
    """

    field: str
    id_field: str
    noun: str
    calls: Callable[[ApiClient], ResourceClient[Any]]


def with_names(
    client: ApiClient, references: Sequence[Reference], documents: Sequence[Mapping[str, Any]]
) -> list[Fields]:
    """Return the documents with names instead of ids; a field that is empty is left out."""
    renamed = [dict(document) for document in documents]
    for reference in references:
        values = [document.pop(reference.id_field, None) for document in renamed]
        if not any(values):
            continue
        names = {each.id: each.name for each in reference.calls(client).list()}
        for document, value in zip(renamed, values, strict=True):
            if isinstance(value, list):
                document[reference.field] = [names.get(each, each) for each in value]
            elif value:
                document[reference.field] = names.get(value, value)
    return renamed


def with_ids(client: ApiClient, references: Sequence[Reference], fields: Fields) -> Fields:
    """Return the fields of a document with ids instead of names.

    Raises:
        ExitError: no object has the name, or several match it.
    """
    found = {name: value for name, value in fields.items() if name not in ("kind", "apiVersion")}
    for reference in references:
        if reference.field not in found:
            continue
        value, calls = found.pop(reference.field), reference.calls(client)
        if isinstance(value, list):
            found[reference.id_field] = [_id(calls, each, reference.noun) for each in value]
        else:
            found[reference.id_field] = _id(calls, value, reference.noun)
    return found


def _id(calls: ResourceClient[Any], name: Any, noun: str) -> Any:
    """Return the id of the object with this name; what is no name is left to the API to refuse."""
    return find(calls, name, noun).id if name and isinstance(name, str) else name
