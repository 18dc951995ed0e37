"""The result of applying documents, as it travels in JSON; see sparktest.domain."""

from enum import StrEnum
from typing import Any

from sparktest.domain import Id, WireStruct

MAX_DOCUMENTS = 500


class Action(StrEnum):
    """What was done, or would be done, with the object of a document."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Applied(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of one document.

    `before` and `after` are the object as a document: the fields that have a value, with names
    instead of ids. `before` is null for a new object, and `id` too if nothing was stored.
    """

    kind: str
    name: str
    action: Action
    id: Id | None
    before: dict[str, Any] | None
    after: dict[str, Any]


class ApplyResult(WireStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of all documents, in the order of the request."""

    dry_run: bool
    applied: tuple[Applied, ...]
