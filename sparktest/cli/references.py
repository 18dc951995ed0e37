"""What a person calls a run or a definition: its id, the beginning of its id, or its name."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from sparktest.cli.exits import Exit, ExitError

if TYPE_CHECKING:
    from sparktest.client import ApiClient
    from sparktest.domain import Definition, Run

WHOLE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SHORTEST = 4
SHOWN = 5

T = TypeVar("T", "Run", "Definition")


def find_run(client: "ApiClient", reference: str) -> "Run":
    """The run that the reference means.

    Raises:
        ExitError: none, or more than one.
    """
    if WHOLE_ID.fullmatch(reference):
        return client.get_run(reference.lower())
    return _only(client.list_runs(q=reference, limit=1000).runs, reference, "run")


def find_definition(client: "ApiClient", reference: str) -> "Definition":
    """The definition that the reference means.

    Raises:
        ExitError: none, or more than one.
    """
    if WHOLE_ID.fullmatch(reference):
        return client.get_definition(reference.lower())
    return _only(client.list_definitions(), reference, "definition")


def _only(candidates: Sequence[T], reference: str, kind: str) -> T:
    found = [value for value in candidates if _meant(value, reference)]
    if not found:
        raise ExitError(
            f"no {kind} has the id or name {reference!r} (of an id, {SHORTEST} characters are "
            "enough where no other begins with them)",
            Exit.USAGE,
        )
    if len(found) > 1:
        ids = ", ".join(value.id for value in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ExitError(
            f"{reference!r} can be {len(found)} {kind}s: {ids}{more}; give more of the id",
            Exit.USAGE,
        )
    return found[0]


def _meant(value: T, reference: str) -> bool:
    beginning = len(reference) >= SHORTEST and value.id.startswith(reference.lower())
    return beginning or value.name == reference
