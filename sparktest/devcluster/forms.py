"""The forms that an answer can have: objects as they are, their metadata, tables."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sparktest.devcluster.clock import Clock
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.kinds import Kind
from sparktest.devcluster.status import StatusError
from sparktest.devcluster.tables import partial, table

PLAIN = ("application/json", "application/*", "*/*", "")


class Form:
    """How objects of a kind are written for one request."""

    def __init__(self, kind: Kind, name: str, include: str, clock: Clock) -> None:
        self.kind = kind
        self.name = name
        self.include = include
        self.clock = clock
        head = msgspec.json.encode({"apiVersion": kind.api_version, "kind": kind.kind})
        # Items of a list of a built-in kind do not say again what the list says.
        self._head = b"" if kind.custom else head[:-1] + b","

    def one(self, entry: Entry) -> bytes:
        """An object."""
        if self.name == "Table":
            meta = {"resourceVersion": str(entry.version)}
            return self._table([entry], meta)
        if self.name == "" and self.kind.stored_as == self.kind.api_version:
            return entry.raw
        obj = entry.decode()
        obj["apiVersion"] = self.kind.api_version
        return msgspec.json.encode(partial(obj) if self.name else obj)

    def change(self, obj: Object) -> bytes:
        """An object that a write answers with; it may not have been stored."""
        if self.name == "PartialObjectMetadata":
            return msgspec.json.encode(partial(obj))
        return msgspec.json.encode(obj)

    def many(self, entries: Sequence[Entry], meta: dict[str, Any]) -> bytes:
        """A list."""
        if self.name == "Table":
            return self._table(entries, meta)
        kind, version = self.kind.list_kind, self.kind.api_version
        if self.name:
            kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
        head = msgspec.json.encode({"kind": kind, "apiVersion": version, "metadata": meta})
        items = b",".join(self._item(entry) for entry in entries)
        return head[:-1] + b',"items":[' + items + b"]}"

    def _item(self, entry: Entry) -> bytes:
        raw = self.one(entry)
        if self.name == "" and self._head and raw.startswith(self._head):
            return b"{" + raw[len(self._head) :]
        return raw

    def _table(self, entries: Sequence[Entry], meta: dict[str, Any]) -> bytes:
        document = table(self.kind, entries, meta, self.include, self.clock.now())
        return msgspec.json.encode(document)


def form_name(accept: str) -> str:
    """Which form a client accepts first: "" for objects, PartialObjectMetadata or Table.

    Raises:
        StatusError: 406, none that there is.
    """
    for wish in accept.split(","):
        media_type, *rest = (part.strip() for part in wish.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        if media_type not in PLAIN:
            continue
        name = parameters.get("as", "").removesuffix("List")
        if not name:
            return ""
        if name in ("Table", "PartialObjectMetadata") and parameters.get("v") == "v1":
            return name
    text = "only the following media types are accepted: application/json"
    raise StatusError(406, "NotAcceptable", text)
