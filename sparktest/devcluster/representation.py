"""The representations of an answer: whole objects, their metadata only, or a Table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from sparktest.devcluster import columns, jsonpath
from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.kinds import Column, Kind
from sparktest.devcluster.stored_objects import Object, StoredObject

JSON_TYPES = ("application/json", "application/*", "*/*", "")


def negotiate(accept: str) -> str:
    """Return the first representation that an Accept header names and this server has.

    "" means whole objects; the others are PartialObjectMetadata and Table.

    Raises:
        StatusError: 406, the server has none of them.
    """
    for media_range in accept.split(","):
        media_type, *rest = (part.strip() for part in media_range.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        if media_type not in JSON_TYPES:
            continue
        name = parameters.get("as", "").removesuffix("List")
        if not name:
            return ""
        if name in ("Table", "PartialObjectMetadata") and parameters.get("v") == "v1":
            return name
    text = "only the following media types are accepted: application/json"
    raise StatusError(406, "NotAcceptable", text)


class Representation:
    """An encoder of objects of one kind for one request.

    Args:
        kind: the kind, in the version that the request names.
        name: a result of negotiate().
        include: the part of each object that a Table row carries: Object, Metadata or None.
        clock: the time that ages in a Table are counted to.
    """

    def __init__(self, kind: Kind, name: str, include: str, clock: Clock) -> None:
        self.kind = kind
        self.name = name
        self.include = include
        self.clock = clock
        head = msgspec.json.encode({"apiVersion": kind.api_version, "kind": kind.kind})
        # Items of a list of a built-in kind carry no apiVersion and kind: the list does.
        self._head = b"" if kind.custom else head[:-1] + b","

    def encode(self, stored: StoredObject) -> bytes:
        """Return one stored object as JSON."""
        if self.name == "Table":
            return msgspec.json.encode(
                self.table([stored], {"resourceVersion": str(stored.version)})
            )
        if self.name == "" and self.kind.stored_as == self.kind.api_version:
            return stored.raw
        return self.encode_written(self._decode(stored))

    def encode_written(self, obj: Object) -> bytes:
        """Return the result of a write as JSON; after a dry run it is not stored anywhere."""
        if self.name == "PartialObjectMetadata":
            return msgspec.json.encode(_partial_metadata(obj))
        return msgspec.json.encode(obj)

    def encode_list(self, objects: Sequence[StoredObject], meta: dict[str, Any]) -> bytes:
        """Return a list as JSON; `meta` is the metadata of the list."""
        if self.name == "Table":
            return msgspec.json.encode(self.table(objects, meta))
        kind, version = self.kind.list_kind, self.kind.api_version
        if self.name:
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        head = msgspec.json.encode({"kind": kind, "apiVersion": version, "metadata": meta})
        items = b",".join(self._encode_item(stored) for stored in objects)
        return head[:-1] + b',"items":[' + items + b"]}"

    def _encode_item(self, stored: StoredObject) -> bytes:
        raw = self.encode(stored)
        if self.name == "" and self._head and raw.startswith(self._head):
            return b"{" + raw[len(self._head) :]
        return raw

    def table(self, objects: Sequence[StoredObject], meta: dict[str, Any]) -> Object:
        """Return the Table that `kubectl get` prints."""
        printer = columns.PRINTERS.get(self.kind.kind) if not self.kind.custom else None
        definitions = printer.columns if printer else (columns.NAME, *self.kind.columns)
        now, rows = self.clock.now(), []
        for obj in map(self._decode, objects):
            row: Object = {
                "cells": printer.cells(obj, now)
                if printer
                else [_cell(column, obj, now) for column in definitions]
            }
            if self.include != "None":
                row["object"] = obj if self.include == "Object" else _partial_metadata(obj)
            rows.append(row)
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
            "columnDefinitions": definitions,
            "rows": rows,
        }

    def _decode(self, stored: StoredObject) -> Object:
        return stored.decode() | {"apiVersion": self.kind.api_version}


def _partial_metadata(obj: Object) -> Object:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def _cell(column: Column, obj: Object, now: datetime) -> Any:
    found = jsonpath.find(column.json_path, obj)
    if not found:
        return None
    if column.type == "string":
        return jsonpath.to_text(found[0])
    return columns.timestamp_since(found[0], now) if column.type == "date" else found[0]
