"""Tables: what `kubectl get` prints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from sparktest.devcluster import columns, jsonpath
from sparktest.devcluster.ages import age
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.kinds import Column, Kind

NAME = Column(
    name="Name",
    type="string",
    format="name",
    json_path=".metadata.name",
    description="The name, once a namespace and kind.",
)


def table(
    kind: Kind, entries: Sequence[Entry], meta: dict[str, Any], include: str, now: datetime
) -> Object:
    """The Table of the entries; `include` says what of each object goes along with its row."""
    rows = []
    for entry in entries:
        obj = entry.decode()
        obj["apiVersion"] = kind.api_version
        row: Object = {"cells": _cells(kind, obj, now)}
        if include != "None":
            row["object"] = obj if include == "Object" else partial(obj)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [_definition(column) for column in _columns(kind)],
        "rows": rows,
    }


def partial(obj: Object) -> Object:
    """The object without anything but its metadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def _columns(kind: Kind) -> tuple[Column, ...]:
    if kind.custom:
        return (NAME, *kind.columns)
    own = columns.COLUMNS.get(kind.kind, columns.USUAL)
    return own if kind.kind in columns.NAMELESS else (NAME, *own)


def _definition(column: Column) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(column)
    fields.pop("jsonPath")
    return fields


def _cells(kind: Kind, obj: Object, now: datetime) -> list[Any]:
    if kind.custom or kind.kind not in columns.CELLS:
        return [_cell(column, obj, now) for column in _columns(kind)]
    cells = columns.CELLS[kind.kind](obj, now)
    return cells if kind.kind in columns.NAMELESS else [obj["metadata"]["name"], *cells]


def _cell(column: Column, obj: Object, now: datetime) -> Any:
    found = jsonpath.values(column.json_path, obj)
    if not found:
        return None
    if column.type == "string":
        return jsonpath.text(found[0])
    if column.type == "date":
        return age(found[0], now)
    return found[0]
